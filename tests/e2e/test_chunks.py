# SPDX-License-Identifier: Apache-2.0
"""Bodies in chunks, far larger than what is captured of a message: their sizes to the byte, wherever in the calls the size lines stand."""
import random

import observer
from puppeteer import Puppet, Wire
from test_socket_calls import Book, request, response

RUNS_TOGETHER = True

FIXED = [[2048] * 40, [8192] * 12, [1000] * 60, [70_000, 1, 30_000], [16_384] * 8, [4089] * 30, [20_000] * 12, [9] * 3,
         [1, 16, 17, 70_000, 15, 2], [150_000, 100_000]]
PIECES = [700, 4096, 8192, 10_000, 16_384, 65_536, 1 << 30]
EXTENSIONS = ["", ";a", " ; name=value"]
HEAD = b"HTTP/1.1 200 OK\r\nServer: puppet\r\nTransfer-Encoding: chunked\r\n\r\n"


def layouts(seed):
    """Sizes of chunks: those above, and some that are as chance will have it, but the same in each run."""
    chance = random.Random(seed)
    return FIXED + [[chance.choice([300, 5000, 40_000]) + chance.randrange(300) for _ in range(chance.randrange(3, 40))]
                    for _ in range(3)]


def encoded(sizes, extension=""):
    return b"".join(b"%x%s\r\n%s\r\n" % (n, extension.encode(), b"b" * n) for n in [*sizes, 0])


def in_pieces(t, server):
    """Each layout in calls of each size, over one connection; short exchanges between them show that the observer is in step."""
    puppet, book = Puppet(t), Book()
    zerospan = observer.observe(t, "--pid", puppet.pid)
    wire = Wire(puppet, server)
    ours, theirs = (wire.give, wire.take) if server else (wire.take, wire.give)
    for piece in PIECES:
        for n, sizes in enumerate(layouts(piece)):
            extension = EXTENSIONS[n % len(EXTENSIONS)]
            path = book.path(0, sum(sizes), f"calls of {piece}: {sizes}, '{extension}'")
            theirs(f"GET {path} HTTP/1.1\r\nHost: puppet\r\n\r\n".encode())
            ours(HEAD + encoded(sizes, extension), piece=piece)
        path = book.path(3, 2, "between them")
        theirs(request(path, 3) + b"abc")
        ours(response(2) + b"ok")
    wire.close()
    book.finish(zerospan, "SERVER" if server else "CLIENT")


def test_written_in_pieces(t):
    in_pieces(t, True)


def test_read_in_pieces(t):
    in_pieces(t, False)


def over_one_connection(t, exchange, cases):
    """exchange(wire, book, piece, sizes) for each case, the puppet being the server."""
    puppet, book = Puppet(t), Book()
    zerospan = observer.observe(t, "--pid", puppet.pid)
    wire = Wire(puppet)
    for piece, sizes in cases:
        exchange(wire, book, piece, sizes)
    wire.close()
    book.finish(zerospan, "SERVER")


def all_cases():
    return [(piece, sizes) for piece in PIECES for sizes in layouts(piece)]


def ask(wire, book, size, label):
    path = book.path(0, size, label)
    wire.take(f"GET {path} HTTP/1.1\r\nHost: puppet\r\n\r\n".encode())


def test_uploaded_in_pieces(t):
    """Requests have chunks, too."""
    def exchange(wire, book, piece, sizes):
        path = book.path(sum(sizes), 2, f"calls of {piece}: {sizes}")
        wire.take(f"POST {path} HTTP/1.1\r\nHost: puppet\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + encoded(sizes), piece=piece)
        wire.give(response(2) + b"ok")

    over_one_connection(t, exchange, all_cases())


def test_head_by_itself(t):
    """The head in a call of its own, then chunks in calls that know nothing of them."""
    def exchange(wire, book, piece, sizes):
        ask(wire, book, sum(sizes), f"calls of {piece}: {sizes}")
        wire.give(HEAD)
        wire.give(encoded(sizes), piece=piece)

    over_one_connection(t, exchange, all_cases())


def test_lines_as_pieces(t):
    """All in one writev(): the size lines are pieces of their own, and found, as long as there are no more pieces than are looked at."""
    def exchange(wire, book, _, sizes):
        ask(wire, book, sum(sizes), str(sizes))
        wire.give(HEAD)
        wire.give(encoded(sizes), how="writev_lines")

    over_one_connection(t, exchange, [(None, sizes) for sizes in FIXED if len(sizes) <= 20])
