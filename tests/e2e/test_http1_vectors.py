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

RUNS_TOGETHER = True


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
    want = [expected.attributes(kind) for expected in vector.expect]
    spans = sorted(spans, key=lambda s: s.start)
    if len(spans) != len(want):
        return f"{len(spans)} spans instead of {len(want)}: {[s.name for s in spans]}"
    rest = list(spans)
    for expected in want:  # spans of one read start at one moment: in any order
        fits = [span for span in rest if vectors.told(span, expected) == expected]
        if not fits:
            return f"no span is {expected} among {[vectors.told(span, expected) for span in rest]}"
        rest.remove(fits[0])
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
    met = []
    for vector in vectors.load():
        if not vector.unmet:
            for server in (True, False):
                wire = runs.fresh(puppet, server)
                runs.add(wire, vector, "whole")
                met.append((wire, vector))
    zerospan = observer.observe(t, "--pid", puppet.pid)
    for wire, vector in met:
        play(wire, vector, "whole")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
    runs.verify(zerospan.finish())
    t.note(f"{len(runs.by_port)} conversations, {expected_spans(runs)} spans")


def pipeline(puppet, n):
    """n requests before the first answer, which has the status 200 to 599 by turns; (status, path) of each."""
    wire = Wire(puppet)
    answers = [(200 + k % 400, f"/{puppet.names}-{k}") for k in range(n)]
    answers = [(205 if status in (204, 304) else status, path) for status, path in answers]
    wire.take(b"".join(f"GET {path} HTTP/1.1\r\n\r\n".encode() for _, path in answers), piece=4000)
    wire.give(b"".join(f"HTTP/1.1 {status} A\r\nContent-Length: 0\r\n\r\n".encode() for status, _ in answers), piece=4000)
    wire.close()
    return answers


def test_pipeline_up_to_its_limit_and_beyond(t):
    """256 requests wait for their answers; with more the connection is given up, and the next one is fine."""
    puppet = Puppet(t)
    zerospan = observer.observe(t, "--pid", puppet.pid)
    full, beyond, after = pipeline(puppet, 256), pipeline(puppet, 300), pipeline(puppet, 2)
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
    seen = [(s.get("http.response.status_code"), s.get("url.path")) for s in zerospan.finish()]
    check(set(full) <= set(seen), f"{256 - len(set(full) & set(seen))} of 256 requests are missing")
    check(set(after) <= set(seen), "the next connection's requests are missing")
    lies = [pair for pair in seen if pair[0] and pair not in full + beyond + after]
    check(not lies, f"statuses of other requests: {lies[:5]}")
