# SPDX-License-Identifier: Apache-2.0
"""What is asked of each server, one request at a time: a table of small pieces of work.

Each request has a number in its query, which names it in the log and in its span. The visitor keeps
what it was answered: the third witness.
"""
import time
from typing import NamedTuple

import lib
from http_raw import Client, request_bytes
from lib import check, equal
from zoo.server import BIG_BYTES, SMALL

POST_BYTES = 70_000
PAUSE_S = 0.3


class Asked(NamedTuple):
    method: str
    target: str
    status: int
    body_bytes: int


class Visitor:
    def __init__(self, test, server):
        self.test = test
        self.server = server
        self.asked = []

    def number(self, target):
        return f"{target}?n={len(self.asked)}"

    def client(self):
        """A connection for several requests; None where each needs its own."""
        return Client(self.server.port) if self.server.keeps_alive else None

    def note(self, method, target, status, body_bytes):
        self.asked.append(Asked(method, target, status, body_bytes))

    def ask(self, method, target, client=None, headers=(), body=b""):
        """By hand, on client's connection or on one of its own; the answer."""
        target = self.number(target)
        own = client or Client(self.server.port)
        answer = own.request(method, target, headers, body)
        if not client:
            own.close()
        self.note(method, target, answer.status, len(answer.body))
        return answer


def keep_alive(visitor):
    """Requests on one connection, and the answer to HEAD, which has a length and no body, in between."""
    client = visitor.client()
    for method, target in (("GET", visitor.server.small), ("GET", "/page.html"),
                           ("HEAD", "/page.html"), ("GET", visitor.server.small)):
        answer = visitor.ask(method, target, client)
        equal(answer.status, 200, f"answer to {method} {target}")


def single(visitor):
    for method in ("GET", "HEAD"):
        equal(visitor.ask(method, visitor.server.small).status, 200, f"answer to {method}")


def missing(visitor):
    equal(visitor.ask("GET", "/missing").status, 404, "answer for what is not there")


def unchanged(visitor):
    client = visitor.client()
    date = visitor.ask("GET", "/page.html", client).headers.get("last-modified")
    check(date, "the server gives no date")
    answer = visitor.ask("GET", "/page.html", client, [("If-Modified-Since", date)])
    equal((answer.status, answer.body), (304, b""), "answer for what has not changed")


def post(visitor):
    """A body in one piece, and one whose second half lets the server wait."""
    client = visitor.client()
    equal(visitor.ask("POST", visitor.server.post, client, body=b"x" * POST_BYTES).status, 200,
          "answer to POST")
    client = client or Client(visitor.server.port)
    target = visitor.number(visitor.server.post)
    data = request_bytes("POST", target, body=b"y" * POST_BYTES)
    client.send(data[:POST_BYTES // 2])
    time.sleep(PAUSE_S)  # this is what is to be measured
    client.send(data[POST_BYTES // 2:])
    answer = client.read_response()
    visitor.note("POST", target, answer.status, len(answer.body))


def chunked(visitor):
    client = visitor.client()
    for _ in range(2):
        answer = visitor.ask("GET", visitor.server.chunked, client, visitor.server.chunked_headers)
        equal(answer.headers.get("transfer-encoding"), "chunked", "coding of the answer")


def big(visitor):
    client = visitor.client()
    equal(len(visitor.ask("GET", visitor.server.big, client).body), BIG_BYTES, "bytes of the file")
    equal(len(visitor.ask("GET", visitor.server.big, client, [("Range", "bytes=1000-5000999")]).body),
          5_000_000, "bytes of a part of the file")


def pipelined(visitor):
    """Two requests in one write, the first answer being a HEAD's."""
    client = Client(visitor.server.port)
    data = []
    for method in ("HEAD", "GET"):
        target = visitor.number(visitor.server.small)
        data.append(request_bytes(method, target))
        visitor.note(method, target, 200, len(SMALL) if method == "GET" else 0)
    client.send(b"".join(data))
    for method in ("HEAD", "GET"):
        equal(client.read_response(method).status, 200, f"answer to {method}")


def curl(visitor):
    """Two files on one connection, as far as the server lets it."""
    targets = []
    for target, size in ((visitor.server.small, len(SMALL)), (visitor.server.big, BIG_BYTES)):
        targets.append(visitor.number(target))
        visitor.note("GET", targets[-1], 200, size)
    process = visitor.test.run(lib.tool("curl", "curl"), "-sS", "--fail", "-o", "/dev/null", "-o",
                               "/dev/null", *map(visitor.server.url, targets))
    equal(process.status, 0, f"exit status of curl: {process.err}")


def wget(visitor):
    target = visitor.number("/page.html")
    process = visitor.test.run(lib.tool("wget", "wget"), "-q", "-O", "page.html",
                               visitor.server.url(target))
    equal(process.status, 0, f"exit status of wget: {process.err}")
    with open(visitor.test.path("page.html"), "rb") as f:
        visitor.note("GET", target, 200, len(f.read()))


def offered(server):
    """What this server can do of it."""
    works = [single, missing, curl, wget]
    works += [keep_alive] if server.keeps_alive else []
    works += [unchanged] if server.dates_files else []
    works += [post] if server.post else []
    works += [chunked] if server.chunked else []
    works += [big] if server.ranges else []
    works += [pipelined] if server.pipelines else []
    return works
