# SPDX-License-Identifier: Apache-2.0
"""Servers that know where their time went (ledger/*.c), and the comparison of a span's ledger with what they say."""
import json
import threading

import lib
from http_raw import Client
from lib import Failure, check, equal, wait_for

# The contract: each state is within 5 % or 1 ms of the truth, the sum within 1 % or 10 us of the duration.
STATES = ("cpu", "runqueue", "queued", "sleep", "lock", "disk", "net_send", "downstream", "pagefault", "sqlite_busy",
          "other", "unattributed")
SHARE, LEAST_MS = 0.05, 1.0
SUM_SHARE, SUM_LEAST_MS = 0.01, 0.010
UNATTRIBUTED_SHARE = 0.01

# Of the spans of a test, so many may be off by how long; and so often may it be tried.
DISTURBED, TRIES = 0.1, 3
PREFIX, SUFFIX = "zerospan.time.", "_ms"


def built(name):
    """Path of a program of ledger/module.mk."""
    return lib.made("truth", "ledger", name)


class Truth:
    """What a server says of one request: times are CLOCK_MONOTONIC nanoseconds, states milliseconds."""

    def __init__(self, told):
        self.path = told["path"]
        self.times = {key[:-3]: value for key, value in told.items() if key.endswith("_ns")}
        self.states = told["states"]
        self.parts = told.get("parts", [])
        self.taking_ms, self.answering_ms = told.get("taking", 0.0), told.get("answering", 0.0)
        # Time in which it wanted to run and was neither on the CPU nor in the queue for it, by its own clocks.
        self.unsure_ms = abs(self.states.pop("nothing", 0))

    def part(self, name):
        return [part for part in self.parts if part["name"] == name]

    def between_ms(self, start, end):
        return (self.times[end] - self.times[start]) / 1e6


class Server:
    """A program of ledger/, running."""

    def __init__(self, t, name, *args):
        with open("/proc/self/schedstat", encoding="ascii") as f:
            if f.read().split()[2] == "0":
                raise lib.Skip("the kernel does not tell threads their time in the run queue (CONFIG_SCHED_INFO)")
        self.process = t.start(built(name), *args)
        self.pid = self.process.pid
        self.port = int(wait_for(lambda: self.process.out.split("\n")[0], lambda: f"{name}: {self.process.err}"))

    def client(self):
        return Client(self.port, timeout=40.0)

    def truths(self):
        """By path."""
        text = self.process.out
        lines = text[:text.rfind("\n") + 1].splitlines()[1:]
        return {told["path"]: Truth(told) for told in map(json.loads, lines)}

    def truth(self, path):
        wait_for(lambda: path in self.truths(), lambda: f"the truth of {path}: {self.process.err}")
        return self.truths()[path]


class Crew:
    """Clients with a connection each, that ask at the same moments."""

    def __init__(self, server, size):
        self.clients = [server.client() for _ in range(size)]
        for number, client in enumerate(self.clients):
            client.get(f"/prepare-{size}-{number}?prepare=1")
        self.barrier = threading.Barrier(size)
        self.failures = []
        self.answers = {}  # path: Response

    def ask(self, targets):
        """Each client its list of (path, query), in step with the others."""
        threads = [threading.Thread(target=self._work, args=pair, daemon=True)
                   for pair in zip(self.clients, targets)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50 * lib.SLOWNESS)
        check(not self.failures, f"a client failed: {self.failures[:1]}")

    def _work(self, client, targets):
        try:
            for path, query in targets:
                self.barrier.wait(50 * lib.SLOWNESS)
                self.answers[path] = answer = client.get(f"{path}?{query}")
                equal(answer.status, 200, "status")
        except Exception as error:  # noqa: BLE001 told by ask()
            self.failures.append(error)
            self.barrier.abort()


# --- comparing


def ledger(span):
    """A span's milliseconds by state; what is not there is 0."""
    found = {key[len(PREFIX):-len(SUFFIX)]: value for key, value in span.attrs.items()
             if key.startswith(PREFIX) and key.endswith(SUFFIX)}
    check(set(found) <= set(STATES), f"states of {span}: {sorted(found)}")
    for state, value in found.items():
        check(isinstance(value, float) and value > 0, f"{state} of {span} is {value!r}")
    return {state: found.get(state, 0.0) for state in STATES}


def shown(states):
    return ", ".join(f"{state} {value:.3f}" for state, value in states.items() if value)


def sum_off(span, unattributed=True):
    """None, or what is wrong with the sum of a span's states and, if that is wanted, with what is not attributed."""
    have, duration_ms = ledger(span), (span.end - span.start) / 1e6
    off = sum(have.values()) - duration_ms
    if abs(off) > max(SUM_SHARE * duration_ms, SUM_LEAST_MS):
        return f"sum is off by {off:.3f} ms: {span}: {shown(have)}"
    if unattributed and have["unattributed"] > max(UNATTRIBUTED_SHARE * duration_ms, LEAST_MS):
        return f"{have['unattributed']:.3f} ms unattributed: {span}: {shown(have)}"
    return None


def tolerance(truth_ms):
    return max(SHARE * truth_ms, LEAST_MS)


def state_off(state, have_ms, truth_ms, less_ms, more_ms):
    """None, or by how much a state is wrong."""
    slack = tolerance(truth_ms)
    if truth_ms - slack - less_ms <= have_ms <= truth_ms + slack + more_ms:
        return None
    return f"{state} is {have_ms:.3f} ms, true is {truth_ms:.3f} ms (-{less_ms:.3f}, +{more_ms:.3f})"


class Disturbed(Failure):
    """Too many spans are off by how long, but none in what it was. A hypervisor that takes a CPU away at a bad moment does that: the
    time is counted differently by a thread's clocks and by the kernel's events."""


class Verdict:
    """What comparing spans with the truth has shown."""

    def __init__(self):
        self.compared = 0
        self.off, self.wrong = [], []
        self.fine = []  # (ledger, states that are true)

    def states(self, span, true, before_ms=0.0, after_ms=0.0, unsure_ms=0.0):
        """Milliseconds that the truth does not tell: before_ms passed between the client's sending and the truth's beginning;
        after_ms of CPU and run queue are of the truth, but the span may have ended before them; unsure_ms are of the CPU or of the
        run queue."""
        have, off, wrong = ledger(span), [], []
        for state in STATES[:-1]:
            less_ms = more_ms = 0.0
            if state in ("cpu", "runqueue"):
                queued_ms = max(0.0, have["queued"] - true.get("queued", 0.0))
                less_ms, more_ms = after_ms + unsure_ms, max(0.0, before_ms - queued_ms) + unsure_ms
            elif state == "queued":
                more_ms = before_ms
            fault = state_off(state, have[state], true.get(state, 0.0), less_ms, more_ms)
            if fault:
                known = state in ("cpu", "runqueue") or true.get(state, 0.0) > tolerance(0)
                (off if known else wrong).append(fault)
        self.compared += 1
        if not off + wrong:
            self.fine.append((have, true))
        else:
            (self.wrong if wrong else self.off).append(
                f"{span}: {'; '.join(wrong + off)}\n  have  {shown(have)}\n  truth {shown(true)}")

    def part(self, span, part, state):
        """The same of a span that is one part of what a server did, and of which the waiting was all of one state."""
        true = {"cpu": part["cpu"], "runqueue": part["runqueue"], state: max(0.0, part["waited"])}
        around_ms = part["wall"] - (span.end - span.start) / 1e6
        if around_ms < -LEAST_MS:
            self.wrong.append(f"{span} is longer than the {part['wall']:.3f} ms it truly took")
        self.states(span, true, after_ms=max(0.0, around_ms), unsure_ms=max(0.0, -part["waited"]))

    def expect(self, what):
        if self.wrong:
            raise Failure(f"{what}: {len(self.wrong)} of {self.compared} spans are wrong, for example\n" +
                          "\n".join(self.wrong[:4]))
        if len(self.off) > DISTURBED * self.compared:
            raise Disturbed(f"{what}: {len(self.off)} of {self.compared} spans are off, for example\n" +
                            "\n".join(self.off[:4]))


def measured(t, measure):
    """The result of measure(), which may be disturbed some times."""
    for left in reversed(range(TRIES)):
        try:
            return measure()
        except Disturbed as disturbed:
            if not left:
                raise
            t.note(f"measured again: {str(disturbed).splitlines()[0]}")
    return None


def expect_sums(spans, unattributed=True):
    """Of every span there is."""
    check(spans, "no spans")
    faults = [off for off in (sum_off(span, unattributed) for span in spans) if off]
    check(not faults, f"{len(faults)} of {len(spans)} sums are wrong, for example\n" + "\n".join(faults[:4]))
