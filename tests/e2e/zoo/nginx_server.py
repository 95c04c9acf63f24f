# SPDX-License-Identifier: Apache-2.0
"""nginx: a worker per CPU, each an event loop; sendfile, gzip in chunks, and a proxy."""
import signal

import lib
from zoo.server import Server, split

CONFIG = """
daemon off;
worker_processes 2;
worker_rlimit_nofile 1024;
pid {dir}/pid;
error_log {dir}/error.log warn;
events {{ worker_connections 512; }}
http {{
    log_format line '$request\\t$status\\t$request_time\\t$body_bytes_sent\\t$request_length\\t$bytes_sent';
    access_log {dir}/access.log line buffer=256k flush=1s;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    client_max_body_size 10m;
    keepalive_requests 1000000;
    sendfile on;
    gzip on;
    gzip_min_length 1000;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {dir}/www;
        {locations}
    }}
}}
"""


class Nginx(Server):
    comm = "nginx"
    post = "/post"
    chunked, chunked_headers = "/page.html", [("Accept-Encoding", "gzip")]
    ending = signal.SIGQUIT
    upstream = ""
    # To mirror a body means to read it; otherwise nginx answers first and reads, uncounted, later.
    locations = """
        location = /post { mirror /nowhere; error_page 404 =200 @taken; }
        location @taken { return 200 "taken\\n"; }
        location = /nowhere { internal; return 204; }
        location /t/ { return 200 "$request_uri\\n"; }"""

    def configure(self):
        self.write("nginx.conf", CONFIG.format(dir=self.dir, port=self.port, upstream=self.upstream,
                                               locations=self.locations))

    def command(self):
        return (lib.tool("nginx", "nginx-light"), "-c", self.dir + "/nginx.conf",
                "-e", self.dir + "/error.log")

    def ready(self):
        return super().ready() and len(lib.children(self.pid)) == 2

    def parse(self, line):
        return split(line, 1)


class NginxProxy(Nginx):
    """Passes everything on, each request on a connection of its own."""

    def __init__(self, test, back, name="front"):
        self.behind = back
        self.locations = self.pass_on(back)
        super().__init__(test, name)

    def pass_on(self, back):
        return f"location / {{ proxy_pass http://127.0.0.1:{back.port}; }}"


class NginxKeepaliveProxy(NginxProxy):
    """The same over connections that stay open."""

    def pass_on(self, back):
        self.upstream = f"upstream back {{ server 127.0.0.1:{back.port}; keepalive 32; }}"
        return ("location / { proxy_http_version 1.1; proxy_set_header Connection ''; "
                "proxy_pass http://back; }")
