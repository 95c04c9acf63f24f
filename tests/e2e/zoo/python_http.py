# SPDX-License-Identifier: Apache-2.0
"""python3 -m http.server: a thread per connection, HTTP/1.0. Its log has neither sizes nor times."""
import re

import lib
from zoo.server import Entry, Server

LINE = re.compile(r'\S+ - - \[.*?\] "(\S+) (\S+) HTTP/1\.\d" (\d+) -$')


class PythonHttp(Server):
    comm = "python3"
    post = ""
    keeps_alive = pipelines = ranges = counts_all_bytes = False

    def command(self):
        return (lib.PYTHON, "-m", "http.server", self.port, "--bind", "127.0.0.1",
                "--directory", self.root)

    def lines(self):
        return self.process.err.splitlines()

    def parse(self, line):
        match = LINE.match(line)
        return match and Entry(match[1], match[2], int(match[3]))
