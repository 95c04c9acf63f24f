# SPDX-License-Identifier: Apache-2.0
"""The callers of the zoo, each observed alone: one CLIENT span for each line in the log of whom they called."""
import collections
import json
import re

import lib
import observer
from lib import check, equal
from zoo.nginx_server import Nginx

CONNECTIONS = 64


def observed(t, *command, seconds=30):
    """zerospan that has watched a command from beginning to end; its spans."""
    zerospan = observer.start(t, "trace", "--format", "otlp-json", "--output", t.path("spans"), "--",
                              *command)
    equal(zerospan.wait(seconds), 0, f"exit status of {command[0]}: {zerospan.err[-300:]}")
    equal(zerospan.summary().lost, 0, "losses")
    with open(t.path("spans"), encoding="utf-8") as f:
        return [span for line in f for span in observer.spans_of(json.loads(line))]


def compare(t, server, spans, count):
    entries = server.finish()
    equal(len(entries), count, "lines in the log")
    logged = collections.Counter((e.method, server.url(e.target), e.status) for e in entries)
    seen = collections.Counter((s.get("http.request.method"), s.get("url.full"),
                                s.get("http.response.status_code")) for s in spans)
    equal(seen, logged, "calls seen and requests in the log")
    for span in spans:
        equal((span.kind, span.get("network.peer.port")), ("CLIENT", server.port), f"kind and peer of {span}")
        failed = span.get("http.response.status_code") >= 400
        equal(span.status, "ERROR" if failed else "UNSET", f"status of {span}")
    t.note(f"{len(entries)} lines in the log, {len(spans)} spans")


def test_curl(t):
    server = Nginx(t)
    t.write("body", b"x" * 100_000)
    spans = observed(t, lib.tool("curl", "curl"), "-sS", "-o", "/dev/null", server.url("/small.txt"),
                     "-o", "/dev/null", server.url("/missing"),
                     "--next", "-sS", "-I", "-o", "/dev/null", server.url("/page.html"),
                     "--next", "-sS", "--compressed", "-o", "/dev/null", server.url("/page.html"),
                     "--next", "-sS", "-o", "/dev/null", "--data-binary", "@body", server.url("/post"),
                     "--next", "-sS", "-o", "/dev/null", server.url("/big.bin"))
    compare(t, server, spans, 6)


def test_curl_in_parallel(t):
    server = Nginx(t)
    urls = [arg for n in range(40) for arg in ("-o", "/dev/null", server.url(f"/t/{n}"))]
    spans = observed(t, lib.tool("curl", "curl"), "-sS", "--parallel", "--parallel-max", "8", *urls)
    compare(t, server, spans, 40)


def test_wget(t):
    server = Nginx(t)
    spans = observed(t, lib.tool("wget", "wget"), "-q", "-O", "/dev/null", server.url("/small.txt"),
                     server.url("/big.bin"), server.url("/page.html"))
    compare(t, server, spans, 3)


def ab(t, *options):
    server = Nginx(t)
    spans = observed(t, lib.tool("ab", "apache2-utils"), "-q", "-n", "1000", "-c", "16", *options,
                     server.url("/small.txt"))
    compare(t, server, spans, 1000)


def test_ab(t):
    """HTTP/1.0, a connection for each request."""
    ab(t)


def test_ab_keep_alive(t):
    ab(t, "-k")


def test_wrk(t):
    """It ends in the middle of requests: those on the way have a span, and a line only if nginx read them."""
    server = Nginx(t)
    zerospan = observer.start(t, "run", "--format", "none", "--listen", "127.0.0.1:0", "--",
                              lib.tool("wrk", "wrk"), "-t2", f"-c{CONNECTIONS}", "-d5s",
                              server.url("/small.txt"))
    equal(zerospan.wait(30), 0, "exit status")
    done = int(re.search(r"(\d+) requests in", zerospan.out).group(1))
    summary, lines = zerospan.summary(), len(server.finish())
    t.note(f"wrk: {done} requests, {lines} lines in the log, {summary.spans:.0f} spans, "
           f"{summary.lost:.0f} lost")
    equal(summary.lost, 0, "losses")
    check(done <= lines <= summary.spans <= done + CONNECTIONS, "not as many spans as requests")
