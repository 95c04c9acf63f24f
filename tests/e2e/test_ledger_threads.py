# SPDX-License-Identifier: Apache-2.0
"""Where the time went in servers whose threads serve many requests: what a thread does for others is none of a request's time,
except that it is queued while it could have gone on."""
import time

import lib
import observer
import truth
from http_raw import request_bytes
from lib import check, equal

# Of waiting for others; less is no test of it.
ENOUGH_MS = 15.0


class Sent:
    """A request on a connection of its own, not yet answered. CLOCK_MONOTONIC nanoseconds."""

    def __init__(self, server, path, query):
        self.path, self.client = path, server.client()
        self.query = query

    def send(self):
        self.before = time.monotonic_ns()
        self.client.send(request_bytes("GET", f"{self.path}?{self.query}"))
        self.after = time.monotonic_ns()

    def finish(self):
        equal(self.client.read_response().status, 200, "status")


def together(server, *asked):
    """Send these (path, query) one right after the other; when all are answered, what was sent and is true, by path."""
    sent = [Sent(server, path, query) for path, query in asked]
    for one in sent:
        one.send()
    for one in sent:
        one.finish()
    return {one.path: (one, server.truth(one.path)) for one in sent}


def late_ms(sent, ns):
    """From the request's arrival to this moment at least, and by how much it may have been more."""
    return max(0.0, (ns - sent.after) / 1e6), (sent.after - sent.before) / 1e6


def spans_of(zerospan, asked, *servers):
    """The requests' spans by path, and all; the sums are right."""
    spans = zerospan.finish()
    equal(zerospan.summary().lost, 0, "losses")
    truth.expect_sums(spans)
    return {path: observer.one(spans, f"of {path}", kind="SERVER", url__path=path) for path in asked}, spans


def enough(queued_ms, who):
    """Waited long enough for a test of it; else to be tried again."""
    if queued_ms < ENOUGH_MS:
        raise truth.Disturbed(f"{who} did not have to wait")


# --- one thread, one epoll


def looped(t, *asked):
    """A loop before a slow server, which is not observed; (spans by path, all spans, truths, the slow one)."""
    behind = truth.Server(t, "phases", t.dir)
    loop = truth.Server(t, "loop", behind.port)
    zerospan = observer.observe(t, "--pid", loop.pid)
    truths = together(loop, *asked)
    mine, spans = spans_of(zerospan, truths)
    return mine, spans, truths, behind


def compare_turns(verdict, span, sent, said, **more):
    """The request's own turns, what it waited before them, and other states."""
    queued_ms, unsure_ms = late_ms(sent, said.times["read"])
    more["queued"] = more.get("queued", 0.0) + queued_ms
    verdict.states(span, {"cpu": said.states["cpu"], "runqueue": said.states["runqueue"], **more},
                   before_ms=unsure_ms, after_ms=said.answering_ms)


def test_loop_burns_for_another(t):
    """The second request waits in its socket meanwhile: that is queued, and no more."""
    def measure():
        mine, _, truths, _ = looped(t, ("/first", "burn=60"), ("/second", "burn=5"))
        sent, said = truths["/second"]
        queued_ms, _ = late_ms(sent, said.times["read"])
        t.note(f"the second was read after {queued_ms:.3f} ms")
        enough(queued_ms, "the second request")
        verdict = truth.Verdict()
        for path in truths:
            compare_turns(verdict, mine[path], *truths[path])
        verdict.expect("two requests in turn")

    truth.measured(t, measure)


def calls(t, away, first, second):
    """The first request calls the slow server, the second one burns. Its span and that of the call: gone until the answer had come,
    queued until that was read. How long these were, ms."""
    mine, spans, truths, behind = looped(t, ("/first", first), ("/second", second))
    said, there = truths["/first"][1], behind.truth("/down/first").times["answered"]
    away_ms, queued_ms = (there - said.times["asked"]) / 1e6, max(0.0, (said.times["told"] - there) / 1e6)
    t.note(f"the answer came after {away_ms:.3f} ms and was read {queued_ms:.3f} ms later")
    check(away_ms >= away, "the first request did not have to wait")
    call, verdict = observer.one(spans, "of the call", kind="CLIENT", parent_id=mine["/first"].span_id), truth.Verdict()
    compare_turns(verdict, mine["/first"], *truths["/first"], downstream=away_ms, queued=queued_ms)
    compare_turns(verdict, mine["/second"], *truths["/second"])
    verdict.states(call, {"downstream": away_ms, "queued": queued_ms}, before_ms=truth.LEAST_MS)
    verdict.expect("one request that calls, one that burns")
    return queued_ms


def test_loop_waits_for_one(t):
    """In epoll, for the answer to the first request's call: that is the first one's wait alone, and goes on while the loop
    serves the second one."""
    truth.measured(t, lambda: calls(t, 55, "downstream=60", "burn=15"))


def test_answer_waits_for_the_loop(t):
    """The answer to the first request's call is there, but the loop burns for the second one: from then on it is queued."""
    truth.measured(t, lambda: enough(calls(t, 25, "downstream=30&burn=5", "burn=90"), "the answer"))


# --- one thread reads, others work


def compare_handed(verdict, span, sent, said):
    """A request that was handed over. For taking_ms the worker was ready for it, but not on a CPU: that may be told as either."""
    queued_ms, unsure_ms = late_ms(sent, said.times["begun"])
    true = {**said.states, "queued": max(0.0, queued_ms - said.taking_ms)}
    verdict.states(span, true, before_ms=unsure_ms + said.taking_ms, after_ms=said.answering_ms,
                   unsure_ms=said.unsure_ms + said.taking_ms)


def handed(t, workers, rounds, queries, warm=False):
    """Requests for so many workers, all of a round at once; their truths. warm: the workers have worked before, observed."""
    server = truth.Server(t, "handoff", workers)
    zerospan = observer.observe(t, "--pid", server.pid)
    truths, verdict = {}, truth.Verdict()
    if warm:
        together(server, *[(f"/warm-{n}", "burn=1") for n in range(workers)])
    for turn in range(rounds):
        truths.update(together(server, *[(f"/{turn}-{n}", query) for n, query in enumerate(queries)]))
    mine, _ = spans_of(zerospan, truths)
    for path, (sent, said) in truths.items():
        compare_handed(verdict, mine[path], sent, said)
    verdict.expect(f"{len(truths)} requests for {workers} workers")
    return truths


def test_worker_is_busy(t):
    """What a worker does is in the ledger of the request that it works on; the next one waits in the queue for it."""
    def measure():
        truths = handed(t, 1, 1, ["burn=30&sleep=20", "burn=10&sleep=15"])
        queued_ms = max(late_ms(sent, said.times["begun"])[0] for sent, said in truths.values())
        t.note(f"one was begun after {queued_ms:.3f} ms")
        enough(queued_ms, "a request")

    truth.measured(t, measure)


def test_worker_waits_for_a_lock(t):
    """In the midst of its work: what it did before is the request's as well, if the worker is known."""
    truth.measured(t, lambda: handed(t, 1, 2, ["burn=15&lock=20&sleep=10", "sleep=10&lock=15&burn=10"],
                                     warm=True))


def test_workers_are_too_few(t):
    """Three, for eight requests at once."""
    truth.measured(t, lambda: handed(t, 3, 3, ["burn=3&sleep=8&burn=2"] * 8))
