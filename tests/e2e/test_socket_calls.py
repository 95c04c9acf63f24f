# SPDX-License-Identifier: Apache-2.0
"""Every call that moves bytes through a socket, in both directions, on TCP and Unix sockets, as server and as client:
one span per exchange and the sizes of both bodies to the byte, whether their bytes are copied by the probes or not.

Each way of calling has a connection of its own with three exchanges: a short body, one far beyond what is captured, a short one
again, which shows that the observer is still in step. What the calls are: puppet_io.py.
"""
import lib
import observer
from lib import Failure, equal
from puppet_io import HIDDEN_READ, HIDDEN_WRITE, READ, TCP_ONLY, WRITE
from puppeteer import Puppet, Wire

RUNS_TOGETHER = True

SIZES = (300, 100_000, 1)


class Book:
    """Exchanges that were made, and what their spans must say."""

    def __init__(self):
        self.expected = {}
        self.labels = {}  # path: how it was done

    def path(self, request, response, label=""):
        path = f"/x{len(self.expected)}"
        self.expected[path] = (request or None, response or None)
        self.labels[path] = label
        return path

    def finish(self, zerospan, kind):
        """All is done: compare, end the observer."""
        lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
        spans = zerospan.finish()
        self.verify(spans, kind)
        return spans

    def verify(self, spans, kind):
        wrong = []
        for path, sizes in self.expected.items():
            found = [span for span in spans if path_of(span) == path]
            have = [(span.get("http.request.body.size"), span.get("http.response.body.size"))
                    for span in found]
            if have != [sizes] or (found[0].kind, found[0].get("http.response.status_code"),
                                   found[0].get("zerospan.capture")) != (kind, 200, None):
                rest = [(s.kind, s.get("http.response.status_code"), s.get("zerospan.capture")) for s in found]
                wrong.append(f"{path} by {self.labels[path]}: {have} {rest} instead of {sizes}")
        if wrong:
            raise Failure(f"{len(wrong)} of {len(self.expected)}:\n      " + "\n      ".join(wrong[:20]))
        equal(len(spans), len(self.expected), "spans")


def path_of(span):
    return span.get("url.path") or (span.get("url.full") or "").rsplit("/", 1)[-1].join(["/", ""])


def request(path, size):
    return (f"POST {path} HTTP/1.1\r\nHost: puppet\r\nContent-Length: {size}\r\n\r\n").encode()


def response(size):
    return f"HTTP/1.1 200 OK\r\nServer: puppet\r\nContent-Length: {size}\r\n\r\n".encode()


def exchange(wire, book, sizes, reading="read", writing="write"):
    """One, the puppet's part of it by these calls; (request, response) body sizes."""
    path = book.path(*sizes, f"{reading}, {writing}")
    ours, theirs = (sizes[1], sizes[0]) if wire.server else (sizes[0], sizes[1])
    steps = [lambda: take(wire, request(path, theirs) if wire.server else response(theirs), theirs, reading),
             lambda: give(wire, response(ours) if wire.server else request(path, ours), ours, writing)]
    for step in steps if wire.server else reversed(steps):
        try:
            step()
        except (Failure, OSError) as error:
            raise Failure(f"{reading}, {writing}, {sizes}: {error}") from error


def take(wire, head, size, how):
    body = b"b" * size
    if how in HIDDEN_READ:
        wire.take(head, how="read")
        wire.take(body, how=how)
    else:
        wire.take(head + body, how=how)


def give(wire, head, size, how):
    if how in HIDDEN_WRITE:
        wire.give(head, how="write")
        wire.give(b"", size, how=how)
    else:
        wire.give(head, size, how=how)


def every_call(t, server, family):
    puppet, book = Puppet(t), Book()
    zerospan = observer.observe(t, "--pid", puppet.pid)
    ways = [{"reading": how} for how in READ] + [{"writing": how} for how in WRITE]
    for way in ways:
        if family == "unix" and set(way.values()) & TCP_ONLY:
            continue
        wire = Wire(puppet, server, family)
        for size in SIZES:
            exchange(wire, book, (size, 2) if (("reading" in way) == server) else (2, size), **way)
        wire.close()
    book.finish(zerospan, "SERVER" if server else "CLIENT")
    summary = zerospan.summary()
    equal((summary.lost, summary.coverage_pct), (0, 100), "losses, HTTP bytes seen")
    t.note(f"{len(book.expected)} exchanges")


def test_server_ipv4(t):
    every_call(t, True, "ipv4")


def test_server_ipv6(t):
    every_call(t, True, "ipv6")


def test_server_ipv4_mapped(t):
    """An IPv6 listener that takes IPv4: addresses as the client knows them."""
    puppet = Puppet(t)
    zerospan = observer.observe(t, "--pid", puppet.pid)
    wire, book = Wire(puppet, True, "dual"), Book()
    exchange(wire, book, (10, 20))
    wire.close()
    spans = book.finish(zerospan, "SERVER")
    equal((spans[0].get("network.peer.address"), spans[0].get("network.peer.port")),
          ("127.0.0.1", wire.port), "peer")


def test_server_unix(t):
    every_call(t, True, "unix")


def test_client_ipv4(t):
    every_call(t, False, "ipv4")


def test_client_ipv6(t):
    every_call(t, False, "ipv6")


def test_client_unix(t):
    every_call(t, False, "unix")


def test_socketpair(t):
    """Both ends in the observed process: a client's span and a server's."""
    puppet = Puppet(t)
    zerospan = observer.observe(t, "--pid", puppet.pid)
    puppet.do("pair", conn="a", other="b")
    for size in SIZES:
        head, answer = request(f"/s{size}", 7), response(size)
        puppet.do("write", conn="a", data=(head + b"b" * 7).hex())
        puppet.do("read", conn="b", n=len(head) + 7)
        puppet.do("write", conn="b", data=answer.hex(), fill=size)
        puppet.do("read", conn="a", n=len(answer) + size)
    zerospan.wait_spans(2 * len(SIZES))
    spans = zerospan.finish()
    for kind in ("SERVER", "CLIENT"):
        equal([(s.get("http.request.body.size"), s.get("http.response.body.size"))
               for s in sorted(spans, key=lambda s: s.start) if s.kind == kind],
              [(7, size) for size in SIZES], f"sizes of the {kind} spans")


def test_head_over_many_reads_and_writes(t):
    """A head in the smallest reads there are, the answer's in the smallest writes, bodies too large to be captured behind."""
    puppet, book = Puppet(t), Book()
    zerospan = observer.observe(t, "--pid", puppet.pid)
    for piece in (1, 2, 16):
        wire = Wire(puppet)
        for size in SIZES:
            path = book.path(size, size)
            head = request(path, size)
            wire.take(head, piece=piece)
            wire.take(b"b" * size)
            wire.give(response(size), piece=piece)
            wire.give(b"", size)
        wire.close()
    book.finish(zerospan, "SERVER")


def asking_for_nothing(t, server, family):
    """A call that has no room for a byte returns 0 in the middle of a body, which is not its end."""
    puppet, book = Puppet(t), Book()
    zerospan = observer.observe(t, "--pid", puppet.pid)
    wire = Wire(puppet, server, family)
    path = book.path(*((200, 1) if server else (1, 200)))
    if not server:
        wire.give(request(path, 1), 1)
    wire.take((request(path, 200) if server else response(200)) + b"b" * 10)
    for size in (100, 90):
        wire.take(b"b" * size, how="after_nothing")
    if server:
        wire.give(response(1), 1)
    wire.close()
    book.finish(zerospan, "SERVER" if server else "CLIENT")


def test_asking_for_nothing(t):
    asking_for_nothing(t, True, "ipv4")


def test_asking_for_nothing_as_a_client(t):
    asking_for_nothing(t, False, "ipv4")


def test_asking_for_nothing_unix(t):
    asking_for_nothing(t, True, "unix")
