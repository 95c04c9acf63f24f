# SPDX-License-Identifier: Apache-2.0
"""PHP's built-in server: one process, one request at a time, one connection for each. Its log has no sizes."""
import re

import lib
from zoo.server import Entry, Server

LINE = re.compile(r"\[.*?\] 127\.0\.0\.1:\d+ \[(\d+)\]: (\S+) (\S+)")
SCRIPT = """<?php
echo "took ", strlen(file_get_contents("php://input")), "\\n";
"""


class Php(Server):
    comm = "php8"
    post = "/post.php"
    keeps_alive = pipelines = dates_files = ranges = counts_all_bytes = False

    def configure(self):
        self.write("www/post.php", SCRIPT)

    def command(self):
        return lib.tool("php", "php-cli"), "-S", f"127.0.0.1:{self.port}", "-t", self.root

    def lines(self):
        return self.process.err.splitlines()

    def parse(self, line):
        match = LINE.match(line)
        return match and Entry(match[2], match[3], int(match[1]))
