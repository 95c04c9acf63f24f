# SPDX-License-Identifier: Apache-2.0
"""What every animal of the zoo has in common: files to serve, a port, a process, an access log.

A subclass says how the program is configured, how it ends so that its log is complete, and how a line
of the log reads. What it serves is the same everywhere, so that one table of requests fits all.
"""
import os
import signal
from typing import NamedTuple, Optional

import lib
from lib import check, wait_for

BIG_BYTES = 10_000_000
SMALL = b"a small file\n"

# A program behind CGI that gives no length: its server has to send what comes in chunks, if it comes slowly.
CGI_PATH = "/lines.sh"
CGI_SCRIPT = r"""#!/bin/sh
cat >/dev/null
printf 'Content-Type: text/plain\r\n\r\n'
for n in 1 2 3; do echo "line $n"; sleep 0.2; done
"""


class Entry(NamedTuple):
    """One request as the server's log has it. None: this log does not say."""
    method: str
    target: str
    status: int
    seconds: Optional[float] = None
    # Of the answer's body, and of the request and the answer with everything.
    body_bytes: Optional[int] = None
    received_bytes: Optional[int] = None
    sent_bytes: Optional[int] = None


class Server:
    comm = ""  # process.executable.name
    small = "/small.txt"
    big = "/big.bin"  # 10 MB
    post = "/small.txt"  # takes a body; with what status it answers is its own business
    chunked = ""  # path of an answer in chunks, asked for with chunked_headers
    chunked_headers = ()
    keeps_alive = True
    pipelines = True
    dates_files = True  # Last-Modified
    ranges = True  # serves a part of the big file
    behind = None  # the server to which it passes everything on
    counts_all_bytes = True  # its log has every byte of a connection
    closes_when_busy = False  # connections that are kept and idle
    counts_twice = 0  # bytes per request that its log may have once too often
    ending = signal.SIGTERM  # after which it writes its log and ends

    def __init__(self, test, name=""):
        """name: of its folder, when a test has more than one of a kind."""
        self.test = test
        self.dir = test.path(name or type(self).__name__.lower())
        self.root = os.path.join(self.dir, "www")
        self.log = os.path.join(self.dir, "access.log")
        os.makedirs(self.root)
        self.write("www/small.txt", SMALL)
        self.write("www/page.html", b"<p>a page of several kilobytes</p>\n" * 300)
        self.write("www/big.bin", os.urandom(1000) * (BIG_BYTES // 1000))
        self.port = lib.free_port()
        self.configure()
        self.process = test.start(*self.command(), cwd=self.dir, session=True)
        wait_for(self.ready, lambda: f"{self.name} to listen: {self.process.err[-500:]}")

    @property
    def name(self):
        return type(self).__name__

    @property
    def pid(self):
        return self.process.pid

    def write(self, name, data, mode=0o644):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        os.chmod(path, mode)
        return path

    def configure(self):
        """Write the configuration."""

    def command(self):
        raise NotImplementedError

    def ready(self):
        check(self.process.status is None, f"{self.name} ended: {self.process.err[-500:]}")
        return lib.listens(self.port)

    def url(self, target):
        return f"http://127.0.0.1:{self.port}{target}"

    def lines(self):
        with open(self.log, encoding="latin-1") as f:
            return f.read().splitlines()

    def parse(self, line):
        """The entry of a log line; None: the line is no request."""
        raise NotImplementedError

    def finish(self):
        """End the server; its whole access log."""
        self.process.signal(self.ending)
        self.process.wait(20)
        return [entry for entry in map(self.parse, self.lines()) if entry]


def split(line, unit):
    """The entry of our own format, alike everywhere: request line, status, duration in units of so
    many seconds, and then, as far as the server knows them, bytes of body, received, sent."""
    request, status, duration, *counts = line.split("\t")
    method, target = request.split(" ")[:2]
    return Entry(method, target, int(status), float(duration) * unit,
                 *(0 if count == "-" else int(count) for count in counts))
