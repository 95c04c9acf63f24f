# SPDX-License-Identifier: Apache-2.0
"""The HTTP/1 vectors of tests/data/http1_vectors.txt through real sockets: both sides are scripted byte by byte, one of
them, as the server and as the client, is the process that zerospan observes.

Each vector runs with its pieces whole, by single bytes, and cut in several ways, each on a connection of its own, all under
one observer. Connections that were there before zerospan come at the end. Numbers of vectors: see the file's head.
"""
import lib
import observer
import vectors
from lib import Failure, check
from puppeteer import Puppet, Wire


def halves(data):
    return [data[:len(data) // 2], data[len(data) // 2:]]


# How a step's bytes are cut: each part is one read or one write of the observed process.
CUTS = {
    "whole": lambda data: [data],
    "in halves": halves,
    "after the first byte": lambda data: [data[:1], data[1:]],
    "before the last byte": lambda data: [data[:-1], data[-1:]],
    "in thirds": lambda data: [part for half in halves(data) for part in halves(half)][:3] +
    [halves(halves(data)[1])[1]],
}


def play(wire, vector, cut):
    """One conversation; wire.server says which side is the puppet's."""
    for what, data in vector.steps:
        ours = (what[-1] == "q") != wire.server  # whose step it is: the puppet's
        if what in ("q", "s"):
            for part in filter(None, CUTS[cut](data) if cut in CUTS else [data]):
                how = {"piece": 1} if cut == "byte by byte" else {}
                (wire.give if ours else wire.take)(part, **how)
        elif what in ("end-q", "end-s"):
            if ours:
                wire.do("shut")
                check(wire.peer.recv(1) == b"", "the puppet goes on after the end")
            else:
                wire.peer.shutdown(1)
                wire.expect_end()
        elif what == "reset":
            wire.reset()
            wire.expect_end("reset")
            wire.do("close")
            return
        elif what == "close":
            break
    wire.close()


def differences(vector, spans, kind):
    """Why these are not the spans that the vector demands, or None."""
    have = [vectors.told(span) for span in sorted(spans, key=lambda s: s.start)]
    want = [expected.attributes(kind) for expected in vector.expect]
    if len(have) != len(want):
        return f"{len(have)} spans instead of {len(want)}: {[h['name'] for h in have]}"
    if sorted(map(repr, have)) != sorted(map(repr, want)):  # spans of one read start at one moment
        return "; ".join(f"{key} {h[key]!r} instead of {w[key]!r}" for h, w in zip(have, want)
                         for key in w if h[key] != w[key])
    traced = sum(expected.traced for expected in vector.expect)
    seen = sum(span.trace_id == vectors.TRACE_ID for span in spans)
    return None if traced == seen else f"{seen} spans of the header's trace instead of {traced}"


class Runs:
    """Conversations that were had, by the port that tells their spans."""

    def __init__(self):
        self.by_port = {}

    def fresh(self, puppet, server):
        while True:
            wire = Wire(puppet, server)
            if (server, wire.port) not in self.by_port:
                return wire
            wire.close()  # the kernel gave out a port again

    def add(self, wire, vector, cut):
        self.by_port[wire.server, wire.port] = (vector, cut)

    def verify(self, spans):
        found = {key: [] for key in self.by_port}
        for span in spans:
            key = (span.kind == "SERVER", span.get("network.peer.port"))
            check(key in found, f"{span} belongs to no conversation")
            found[key].append(span)
        wrong = []
        for (server, port), (vector, cut) in self.by_port.items():
            why = differences(vector, found[server, port], "SERVER" if server else "CLIENT")
            if why:
                wrong.append(f"{vector.name}, {cut}, seen by the {'server' if server else 'client'}: {why}")
        if wrong:
            raise Failure(f"{len(wrong)} of {len(self.by_port)} conversations:\n      " +
                          "\n      ".join(wrong[:40]))


def expected_spans(runs):
    return sum(len(vector.expect) for vector, _ in runs.by_port.values())


def converse(t, server):
    """All vectors in all cuts."""
    puppet, runs = Puppet(t), Runs()
    zerospan = observer.observe(t, "--pid", puppet.pid)
    for vector in vectors.load():
        for cut in ["whole"] if vector.whole else [*CUTS, "byte by byte"]:
            wire = runs.fresh(puppet, server)
            runs.add(wire, vector, cut)
            try:
                play(wire, vector, cut)
            except (Failure, OSError) as error:
                raise Failure(f"{vector.name}, {cut}: {error}") from error
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
    runs.verify(zerospan.finish())
    t.note(f"{len(runs.by_port)} conversations, {expected_spans(runs)} spans")


def test_server(t):
    converse(t, server=True)


def test_client(t):
    converse(t, server=False)


def test_met_late(t):
    """Idle connections that zerospan did not see begin, both roles in one process."""
    puppet, runs = Puppet(t), Runs()
    todo = []
    for vector in vectors.load():
        if not vector.unmet:
            for server in (True, False):
                wire = runs.fresh(puppet, server)
                runs.add(wire, vector, "whole")
                todo.append((wire, vector))
    zerospan = observer.observe(t, "--pid", puppet.pid)
    for wire, vector in todo:
        play(wire, vector, "whole")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
    runs.verify(zerospan.finish())
    t.note(f"{len(runs.by_port)} conversations, {expected_spans(runs)} spans")
