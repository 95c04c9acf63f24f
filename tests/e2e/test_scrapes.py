# SPDX-License-Identifier: Apache-2.0
"""Many at once read a /metrics of ten thousand series, and some of them are very slow: each answer is whole, and nobody waits for
somebody else."""
import os
import socket
import statistics
import threading
import time
import urllib.parse
import urllib.request

import lib
import observer
from exposition import check_exposition
from lib import check, equal, wait_for
from shop import Shop

SETS = 600  # of labels, each a histogram of 15 bounds: 18 lines
SERIES = 10_000
AT_ONCE = 8
ROUNDS = int(os.environ.get("SCRAPE_ROUNDS") or 5)
CONFIG = """
rules:
  - match: GET /
    metrics:
      - histogram: pages
        value: 1
        bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 25, 50]
        labels: {number: query.number}
"""
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


def with_series(t):
    """A zerospan that has so many."""
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--config", t.write("many.yaml", CONFIG), "--pid", shop.pid)
    client = shop.client()
    for number in range(SETS):
        equal(client.get(f"/?number={number}").status, 200, "status")
    wait_for(lambda: zerospan.metrics().sum("pages_count") == SETS, "all pages in /metrics", 20)
    return zerospan


def scrape(zerospan, headers, keep):
    """One scrape; (seconds, text) goes to keep."""
    begin = time.monotonic()
    request = urllib.request.Request(zerospan.metrics_url, headers=headers)
    with urllib.request.urlopen(request, timeout=30 * lib.SLOWNESS) as answer:
        text = answer.read().decode()
        equal(len(text.encode()), int(answer.headers["Content-Length"]), "length of the answer")
    keep.append((time.monotonic() - begin, text))


def at_once(zerospan, headers):
    """Eight scrapes at the same time."""
    kept = []
    threads = [threading.Thread(target=scrape, args=(zerospan, headers, kept)) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40 * lib.SLOWNESS)
    equal(len(kept), AT_ONCE, "scrapes that were answered whole")
    return kept


def pages(text):
    """The lines of what does not change any more, in order; without exemplars."""
    return [line.split(" # ")[0] for line in text.splitlines() if line.startswith("pages_")]


@lib.deadline(120)
def test_at_once(t):
    """All whole and the same, in both formats."""
    zerospan = with_series(t)
    wanted = pages(zerospan.metrics_text())
    for headers, name in (({}, "text"), (OPENMETRICS, "OpenMetrics")):
        alone = []
        for _ in range(ROUNDS):
            scrape(zerospan, headers, alone)
        kept = [one for _ in range(ROUNDS) for one in at_once(zerospan, headers)]
        for _, text in kept:
            check(text.count("\n") > SERIES, f"{text.count(chr(10))} lines")
            equal(text.endswith("# EOF\n"), headers is OPENMETRICS, "an end")
            check(pages(text) == wanted, f"series of one of {len(kept)} answers are not those of the others")
        check_exposition(kept[0][1])
        series = sum(not line.startswith("#") for line in kept[0][1].splitlines())
        times = [sorted(seconds for seconds, _ in some) for some in (alone, kept)]
        t.note(f"{name}: {series} series, {len(kept[0][1]) / 1e6:.1f} MB; alone median {statistics.median(times[0]) * 1e3:.0f} ms, "
               f"worst {times[0][-1] * 1e3:.0f} ms; {AT_ONCE} at once median {statistics.median(times[1]) * 1e3:.0f} ms, "
               f"worst {times[1][-1] * 1e3:.0f} ms")
    equal(zerospan.stop(), 0, "exit status")


class Slow:
    """A connection to /metrics that asks, or begins to."""

    def __init__(self, t, zerospan, request):
        address = urllib.parse.urlsplit(zerospan.metrics_url)
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # so that the answer does not lie in the kernel
        self.socket.settimeout(5 * lib.SLOWNESS)
        self.socket.connect((address.hostname, address.port))
        self.socket.sendall(request)
        self.ended = threading.Event()
        t.cleanup(self.ended.set)
        t.cleanup(self.socket.close)

    def each_second(self, what):
        """what() each second, in the background."""
        def go_on():
            while not self.ended.wait(1):
                try:
                    what()
                except OSError:
                    return

        threading.Thread(target=go_on, daemon=True).start()


def expect_answers(t, zerospan, what):
    """Others are answered meanwhile, again and again; nobody takes as long as the slow ones do."""
    kept = []
    end = time.monotonic() + 3
    while time.monotonic() < end:
        scrape(zerospan, {}, kept)
        check(len(pages(kept[-1][1])) >= SERIES, "an answer that is not whole")
    times = sorted(seconds for seconds, _ in kept)
    t.note(f"beside {what}: {len(kept)} scrapes, median {statistics.median(times) * 1e3:.0f} ms, worst {times[-1] * 1e3:.0f} ms")


@lib.deadline(120)
def test_slow_ones(t):
    """Readers of a byte per second, and heads of requests that never end, a byte per second."""
    zerospan = with_series(t)
    reading = [Slow(t, zerospan, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(AT_ONCE)]
    for slow in reading:
        equal(slow.socket.recv(1), b"H", "the first byte of the answer")
        slow.each_second(lambda slow=slow: slow.socket.recv(1))
    expect_answers(t, zerospan, f"{AT_ONCE} that read a byte per second")
    asking = [Slow(t, zerospan, b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: ") for _ in range(AT_ONCE)]
    for slow in asking:
        slow.each_second(lambda slow=slow: slow.socket.sendall(b"x"))
    expect_answers(t, zerospan, f"those and {AT_ONCE} whose request does not end")
    for slow in reading:  # they were not turned away in between: the rest of the answer is there
        slow.ended.set()
        slow.socket.settimeout(20 * lib.SLOWNESS)
        wait_for(lambda slow=slow: slow.socket.recv(1 << 16), "more of the answer")
    equal(zerospan.stop(), 0, "exit status")
