# SPDX-License-Identifier: Apache-2.0
"""haproxy: threads that each run an event loop, before a server that may be any other of the zoo."""
import signal

import lib
from zoo.server import Entry, Server

CONFIG = """
global
    log stdout format raw local0
    nbthread {threads}
    maxconn 500
defaults
    mode http
    log global
    option dontlognull # connections without a request
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    # method, target, status, milliseconds, bytes received and sent
    log-format "request\\t%HM\\t%HU\\t%ST\\t%Ta\\t%U\\t%B"
frontend front
    bind 127.0.0.1:{port} backlog 1024
    default_backend back
backend back
    server back 127.0.0.1:{back}
"""


class Haproxy(Server):
    comm = "haproxy"
    counts_all_bytes = False  # it counts what is in chunks, not the chunks' own lines
    ending = signal.SIGUSR1  # ends when the last connection has

    def __init__(self, test, back, name="haproxy", threads=1):
        """threads: with more than one, haproxy drops a line of its log when another is being written."""
        self.threads = threads
        self.behind = back
        self.chunked, self.chunked_headers, self.post = back.chunked, back.chunked_headers, back.post
        self.dates_files, self.ranges = back.dates_files, back.ranges
        super().__init__(test, name)

    def configure(self):
        self.write("haproxy.conf", CONFIG.format(threads=self.threads, port=self.port,
                                                 back=self.behind.port))

    def command(self):
        return lib.tool("haproxy", "haproxy"), "-db", "-f", self.dir + "/haproxy.conf"

    def lines(self):
        return self.process.out.splitlines()

    def parse(self, line):
        if not line.startswith("request\t"):
            return None
        method, target, status, milliseconds, received, sent = line.split("\t")[1:]
        return Entry(method, target, int(status), int(milliseconds) / 1000,
                     received_bytes=int(received), sent_bytes=int(sent))
