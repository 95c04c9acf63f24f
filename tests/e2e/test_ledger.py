# SPDX-License-Identifier: Apache-2.0
"""Where the time went, compared with a server that knows: each kind of waiting alone and mixed with others, one request at a
time and eight at once; calls to another server and SQLite statements, too."""
import os
import re
import tempfile
import threading
import time

import bpf
import lib
import observer
import truth
from lib import check, equal, wait_for
from observer import tree

TOGETHER = 8
ROUNDS = {1: 3, TOGETHER: 2}
# Of waiting for a step, in the mean of a test's requests; less is no test of it.
ENOUGH_MS = 2 * truth.LEAST_MS

# What a step waits for. How long those of DISK take is the file system's business: it may keep everything in memory.
DISK = {"fdatasync": "disk", "cold_read": "disk", "fault": "pagefault", "insert": "disk", "checkpoint": "disk",
        "select": "disk"}
WAITS = {"sleep": "sleep", "naps": "sleep", "lock": "lock", "tries": "lock", "send": "net_send", "send_unix": "net_send", "downstream": "downstream",
         "busy": "sqlite_busy", "late": "queued", "pipe": "other", "eventfd": "other", "tty": "other", **DISK}
# Steps that have spans of their own, by the beginning of the statement's text; None: calls.
SPANS = {"insert": "INSERT INTO t VALUES", "checkpoint": "PRAGMA wal_checkpoint", "select": "SELECT sum",
         "busy": "UPDATE t", "downstream": None}


class Stage:
    """A server, and another one behind it, observed while they are asked."""

    def __init__(self, t):
        place = tempfile.mkdtemp(dir=t.dir)  # of its own: each measurement begins without databases
        self.behind = truth.Server(t, "phases", place)
        self.server = truth.Server(t, "phases", place, self.behind.port)
        self.zerospan = observer.observe(t, "--pid", self.server.pid, "--pid", self.behind.pid)
        self.answers = {}  # path: Response

    def ask(self, queries, together):
        """So many clients ask for each of these, some times over, each beginning with another one."""
        crew, turns = truth.Crew(self.server, together), ROUNDS[together] * len(queries)
        crew.ask([[(f"/{together}-{client}-{turn}", queries[(client + turn) % len(queries)]) for turn in range(turns)]
                  for client in range(together)])
        self.answers.update(crew.answers)

    def finish(self):
        """All spans, the sums of which are right, and what is true of each request by its path."""
        truths = {path: self.server.truth(path) for path in self.answers}
        spans = self.zerospan.finish()
        equal(self.zerospan.summary().lost, 0, "losses")
        truth.expect_sums(spans)
        return spans, truths


def compare_request(verdict, span, said, answer):
    sent, = said.part("answer")
    verdict.states(span, said.states, before_ms=(said.times["read"] - answer.sent) / 1e6 - said.states.get("queued", 0.0),
                   after_ms=sent["cpu"] + sent["runqueue"], unsure_ms=said.unsure_ms)


def is_of(span, step):
    text = span.get("db.query.text")
    if SPANS[step] is None:
        return span.kind == "CLIENT" and text is None
    return text is not None and text.startswith(SPANS[step])


def compare_parts(verdict, spans, server, said):
    """The spans below a request's."""
    for step in SPANS:
        parts = said.part(step)
        found = sorted((s for s in spans if s.parent_id == server.span_id and is_of(s, step)), key=lambda s: s.start)
        equal(len(found), len(parts), f"spans of '{step}' in\n{tree(spans)}\nnumber")
        for span, part in zip(found, parts):
            verdict.part(span, part, WAITS[step])


def compare_behind(verdict, stage, spans, truths):
    """The requests that the server behind it was sent."""
    for span in (s for s in spans if s.kind == "SERVER" and (s.get("url.path") or "").startswith("/down/")):
        said = stage.behind.truth(span.get("url.path"))
        asked, = truths[said.path.replace("/down", "")].part("downstream")
        sent, = said.part("answer")
        took_ms = said.between_ms("read", "answered") - sent["wall"]
        verdict.states(span, said.states, before_ms=max(0.0, asked["wall"] - took_ms),
                       after_ms=sent["cpu"] + sent["runqueue"], unsure_ms=said.unsure_ms)


def expect_totals(verdict):
    """Of all requests: a little too much in each of many waits is too much. Of what was queued only the least is known."""
    for state in sorted({*WAITS.values(), "other"} - {"queued"}):
        off = truth.state_off(state, sum(have[state] for have, _ in verdict.fine),
                              sum(true.get(state, 0.0) for _, true in verdict.fine), 0, 0)
        if off:
            raise truth.Disturbed(f"in all {len(verdict.fine)} spans {off}")


def expect_truth(stage):
    (spans, truths), verdict, traces = stage.finish(), truth.Verdict(), {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    for path, said in truths.items():
        span = observer.one(spans, f"of {path}", kind="SERVER", url__path=path)
        compare_request(verdict, span, said, stage.answers[path])
        compare_parts(verdict, traces[span.trace_id], span, said)
    compare_behind(verdict, stage, spans, truths)
    verdict.expect(f"{len(truths)} requests")
    expect_totals(verdict)
    return truths


# Steps that are no parts of their requests, by what they take.
STATES = {"burn": "cpu", "compete": "runqueue", "late": "queued"}


def waits_of(step, asked):
    """What each request that had to do with a step waited for it, in milliseconds."""
    if step in STATES:
        return [said.states[STATES[step]] for said in asked if said.states.get(STATES[step], 0) > 0]
    return [sum(part["waited"] for part in said.part(step)) for said in asked if said.part(step)]


def expect_waits(t, steps, truths, together):
    """That there was something to see of each step: more than what it may be off by."""
    asked = [said for path, said in truths.items() if path.startswith(f"/{together}-")]
    states = {state: sum(said.states.get(state, 0) for said in asked) for state in truth.STATES}
    t.note(f"{len(asked)} requests, {together} at once, ms: {truth.shown(states)}")
    for step in steps:
        waits = waits_of(step, asked)
        mean_ms = sum(waits) / max(1, len(waits))
        if step in DISK and mean_ms < ENOUGH_MS:
            raise lib.Skip(f"the file system of {t.dir} makes nobody wait for {step}")
        check(mean_ms >= ENOUGH_MS, f"a test of '{step}' that waits {mean_ms:.3f} ms each time")


def steps_of(query):
    return [step.split("=")[0] for step in query.split("&")]


def alone(t, query):
    """One step by itself: one request at a time, then eight at once."""
    def measure():
        stage = Stage(t)
        stage.ask([query], 1)
        stage.ask([query], TOGETHER)
        return expect_truth(stage)

    truths = truth.measured(t, measure)
    for together in (1, TOGETHER):
        expect_waits(t, steps_of(query), truths, together)


def mixed(t, together):
    def measure():
        stage = Stage(t)
        stage.ask(MIXES, together)
        return expect_truth(stage)

    truths = truth.measured(t, measure)
    expect_waits(t, [step for mix in MIXES for step in steps_of(mix)], truths, together)


def test_cpu(t):
    """With eight at once on few CPUs most of the time is the run queue's."""
    alone(t, "burn=30")


def test_runqueue(t):
    """On a CPU that another thread burns as well."""
    alone(t, "compete=20")


def test_sleep(t):
    alone(t, "sleep=30")


def test_short_sleeps(t):
    """Little by little: what is wrong with each of them a thousand times."""
    alone(t, "naps=300")


def test_lock(t):
    alone(t, "lock=30")


def test_short_waits_for_a_lock(t):
    alone(t, "tries=300")


def test_send(t):
    alone(t, "send=30")


def test_send_unix(t):
    alone(t, "send_unix=30")


def test_pipe(t):
    """Bytes of something that is neither a socket nor a file."""
    alone(t, "pipe=30")


def test_eventfd(t):
    alone(t, "eventfd=30")


def test_terminal(t):
    alone(t, "tty=30")


def test_late(t):
    """Each request but a client's first one is left in its socket."""
    alone(t, "late=30")


def test_downstream(t):
    """The call's span waits for the same as the request's, and the one behind it sleeps."""
    alone(t, "downstream=30")


def test_fdatasync(t):
    alone(t, "fdatasync=30")


def test_cold_read(t):
    """Pages that the file system had dropped."""
    alone(t, "cold_read=30")


def test_page_fault(t):
    """The same without a system call."""
    alone(t, "fault=30")


def test_statement(t):
    """Five that are synced, each a transaction of its own."""
    alone(t, "insert=5")


def test_checkpoint(t):
    alone(t, "checkpoint=8")


def test_cold_select(t):
    alone(t, "select=3")


def test_sqlite_busy(t):
    alone(t, "busy=40")


MIXES = ["burn=10&sleep=10&lock=10&fdatasync=20", "send=10&downstream=15&burn=5&compete=10&late=15",
         "insert=4&busy=20&burn=5&sleep=5&downstream=5", "cold_read=15&lock=10&fault=15&send_unix=10&select=2",
         "pipe=10&checkpoint=4&eventfd=10&burn=5&tty=10"]


def switches(server):
    """How often a server's threads gave up the CPU themselves."""
    total = 0
    for tid in os.listdir(f"/proc/{server.pid}/task"):
        with open(f"/proc/{server.pid}/task/{tid}/status", encoding="ascii") as f:
            total += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M)[1])
    return total


def asked_for(t, query, requests):
    """What so many requests, one after the other, cost: switches of the server's threads, records from the kernel."""
    server = truth.Server(t, "phases", t.dir)
    client = server.client()
    client.get("/prepare")
    zerospan = observer.observe_run(t, "--pid", server.pid)
    before = switches(server)
    for number in range(requests):
        client.get(f"/{number}?{query}")
    after = switches(server)
    wait_for(lambda: zerospan.metrics().sum("http_server_request_duration_seconds_count") == requests, "all requests")
    return after - before, lib.wait_stable(lambda: zerospan.metrics().sum("zerospan_records_total"), "the number of records")


@lib.deadline(60)
def test_records_do_not_grow_with_switches(t):
    """The ledger is a total that a thread keeps: waiting a thousand times costs as many records as waiting once."""
    for step in ("naps", "tries"):
        (few, once), (many, often) = (asked_for(t, f"{step}={waits}", 20) for waits in (1, 1000))
        t.note(f"{step}: {few} switches, {once:.0f} records; {many} switches, {often:.0f} records")
        check(few < 200 and many > 15_000, f"{few} and {many} switches for 20 requests")
        check(often < once + 20, f"{once:.0f} records, with {many} switches {often:.0f}")


@lib.deadline(120)
def test_mixed_alone(t):
    """Several kinds in one request, one request at a time."""
    mixed(t, 1)


@lib.deadline(120)
def test_mixed_together(t):
    """Eight at once, of different mixes."""
    mixed(t, TOGETHER)


ZSP_WAIT_SLEEP = 1


def burning(server):
    """The thread of a server that runs."""
    def running():
        for tid in os.listdir(f"/proc/{server.pid}/task"):
            with open(f"/proc/{server.pid}/task/{tid}/stat", encoding="ascii") as f:
                if f.read().rpartition(") ")[2][0] == "R":
                    return int(tid)
        return None
    return wait_for(running, "a thread that runs")


def come_back_untold(threads, tid, ms):
    """As if the switch from which a thread is back were so long before, and it had not been told that it is."""
    entry = threads.entry(tid)
    on_ns = wait_for(lambda: threads.get(entry, threads.ON_NS), "a thread that is back")
    off_ns = on_ns - ms * 1_000_000
    threads.set(entry, threads.WAIT, ZSP_WAIT_SLEEP)
    threads.set(entry, threads.ON_NS, off_ns - 1)
    threads.set(entry, threads.OFF_NS, off_ns)


def test_return_that_was_not_told(t):
    """Some hosts hide switches from BPF programs, so that a thread is on its CPU and nobody knows. What it waited for before is in
    its totals all the same at its next event, and not when it leaves the CPU again: here, within the request that it burns for."""
    if len(os.sched_getaffinity(0)) < 2:
        raise lib.Skip("it takes two CPUs to change the entry of a thread that runs")
    server = truth.Server(t, "phases", t.dir)
    client = server.client()
    client.get("/prepare")
    zerospan = observer.observe(t, "--pid", server.pid)
    client.get("/before?burn=5&sleep=5")  # so that the clocks of its CPU are known
    threads = bpf.Threads(zerospan.pid)
    for number in range(5):
        asking = threading.Thread(target=client.get, args=(f"/untold-{number}?burn=100",))
        asking.start()
        tid = burning(server)
        time.sleep(0.02)  # it has read the request
        come_back_untold(threads, tid, 50)
        asking.join(30 * lib.SLOWNESS)
    spans = [span for span in zerospan.finish() if span.get("url.path").startswith("/untold-")]
    equal(len(spans), 5, "spans")
    for span in spans:
        have = truth.ledger(span)
        t.note(truth.shown(have))
        check(abs(have["sleep"] - 50) < 5, f"a sleep of 50 ms from which the thread came back untold: {truth.shown(have)}")
