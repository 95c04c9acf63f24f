# SPDX-License-Identifier: Apache-2.0
"""nginx as a target: our own small configuration, and its own count of what it served."""
import os
import re
import signal

import lib
from http_raw import Client
from lib import check, wait_for

CONFIG = """
daemon off;
worker_processes 2;
worker_rlimit_nofile {files};
pid {dir}/nginx.pid;
error_log {dir}/nginx-error.log warn;
events {{ worker_connections {connections}; }}
http {{
    log_format line '$status $request';
    access_log {dir}/nginx-access.log line buffer=256k flush=1s;
    client_body_temp_path {dir}/nginx-body;
    proxy_temp_path {dir}/nginx-proxy;
    fastcgi_temp_path {dir}/nginx-fastcgi;
    uwsgi_temp_path {dir}/nginx-uwsgi;
    scgi_temp_path {dir}/nginx-scgi;
    keepalive_requests 1000000;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        root {dir}/www;
        location = /hello {{ return 200 "hello\\n"; }}
        location = /gone {{ return 410; }}
        location = /broken {{ return 503; }}
        location = /moved {{ return 302 /hello; }}
    }}
}}
"""


class Nginx:
    def __init__(self, test, connections=256):
        """connections: how many each worker can serve at a time."""
        program = lib.tool("nginx", "nginx-light")
        self.dir = test.dir
        self.port = lib.free_port()
        os.makedirs(test.path("www"), exist_ok=True)
        os.chmod(test.path("www"), 0o755)
        config = test.write("nginx.conf", CONFIG.format(
            dir=test.dir, port=self.port, connections=connections, files=connections + 64))
        self.process = test.start(program, "-c", config, "-e", test.path("nginx-error.log"))
        wait_for(lambda: lib.listens(self.port), lambda: f"nginx to listen: {self.process.err}")
        wait_for(lambda: len(self.workers()) == 2, "both workers of nginx")

    @property
    def pid(self):
        return self.process.pid

    def workers(self):
        return lib.children(self.pid)

    def file(self, name, data):
        path = os.path.join(self.dir, "www", name)
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o644)

    def client(self):
        return Client(self.port)

    def served(self):
        """End nginx gracefully, so that it writes its log; requests by (status, request line)."""
        self.process.signal(signal.SIGQUIT)
        self.process.wait()
        counts = {}
        with open(os.path.join(self.dir, "nginx-access.log"), encoding="latin-1") as f:
            for line in f:
                status, request = line.rstrip("\n").split(" ", 1)
                counts[status, request] = counts.get((status, request), 0) + 1
        return counts


class Load:
    """wrk against a URL."""

    def __init__(self, test, url, seconds=5, connections=16, patience=2, header=None):
        """patience: seconds after which an answer counts as an error."""
        headers = ["-H", header] if header else []
        self.process = test.start(lib.tool("wrk", "wrk"), "-t2", f"-c{connections}", f"-d{seconds}",
                                  f"--timeout={patience}s", "--latency", *headers, url)
        self.closed = 0

    def finish(self, seconds=40, may_close=False):
        """Requests completed; fails when wrk met an error. Connections that the server closed with a request on its way, if it may: closed."""
        lib.equal(self.process.wait(seconds), 0, "exit status of wrk")
        out = self.process.out
        errors = re.search(r"Socket errors: connect 0, read (\d+), write 0, timeout 0\n", out)
        if errors and may_close:
            self.closed = int(errors[1])
            out = out.replace(errors[0], "")
        for bad in ("Socket errors", "Non-2xx"):
            check(bad not in out, f"wrk met errors:\n{out}")
        return int(re.search(r"(\d+) requests in", out).group(1))

    @property
    def rate(self):
        return float(re.search(r"Requests/sec:\s+([\d.]+)", self.process.out).group(1))
