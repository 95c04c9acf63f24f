# SPDX-License-Identifier: Apache-2.0
"""Sampling: what arrives of the shop under traffic with the sample configuration, rates, parents that have decided, two
observers of one trace. What there was to keep is known from a recording of the same run, which is replayed as a whole."""
import json
import os
import random
import re
import signal
import subprocess
import time

import lib
import observer
from exposition import check_exposition
from http_raw import Client
from lib import check, equal, wait_for, wait_stable
from otlp import Receiver
from shop import Shop, order

CONFIG = os.path.join(lib.ROOT, "deploy", "shop.yaml")
ONE_IN_20 = 0xf3333 << 36  # th:f3333, what 0.05 is with four digits that count
SLOW_S = 0.5
REQUESTS = "http_server_request_duration_seconds_count"
NOW = {"OTEL_BSP_SCHEDULE_DELAY": "200"}


def randomness(trace_id):
    return int(trace_id[-14:], 16)


def threshold(span):
    """Of its tracestate: 56 bits, None where there is none."""
    match = re.search(r"(?:^|,)ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,]|$)", span.trace_state)
    return int(match.group(1).ljust(14, "0"), 16) if match else None


def by_trace(spans):
    traces = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    return traces


def replayed(t, *args):
    """All spans of a replay."""
    done = subprocess.run([lib.built("zerospan"), "replay", "-q", "--format", "otlp-json", *args],
                          capture_output=True, text=True, check=False, timeout=40)
    equal(done.returncode, 0, f"exit status; {done.stderr}")
    return [s for line in done.stdout.splitlines() for s in observer.spans_of(json.loads(line))]


def entry(spans):
    return min(spans, key=lambda span: span.start)


def is_checkout(spans):
    return entry(spans).name == "POST /checkout"


def wanted(spans):
    """By the sample configuration: 'failing', 'slow' or 'good', and whether it is kept."""
    first = entry(spans)
    if (first.get("http.response.status_code") or 0) >= 400 or any(s.status == "ERROR" for s in spans):
        return "failing", True
    if first.seconds > SLOW_S:
        return "slow", True
    return "good", randomness(first.trace_id) >= ONE_IN_20


def observe(t, receiver, *args, **how):
    return observer.observe_run(t, *args, env={**receiver.environment, **NOW}, **how)


def rest(zerospan):
    """Wait until all requests are counted."""
    return wait_stable(lambda: zerospan.metrics().sum(REQUESTS), "requests in /metrics", deadline=30)


@lib.deadline(120)
def test_sample_configuration(t):
    """Of the shop under mixed traffic: 5 % of good and all failing checkouts arrive, whole; metrics count all; each exemplar
    names a trace that arrived."""
    receiver, shop, recording = Receiver(t), Shop(t), t.path("rec")
    zerospan = observe(t, receiver, "--config", CONFIG, "--record", recording, "--pid", shop.pid)
    traffic = t.run(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--rate", 40, "--duration", 12,
                    seconds=60)
    equal(traffic.status, 0, f"exit status of traffic; {traffic.err}")
    requests = rest(zerospan)
    exemplars = check_exposition(zerospan.openmetrics_text())
    equal(zerospan.stop(), 0, "exit status")
    everything, arrived = by_trace(replayed(t, recording)), by_trace(receiver.spans())
    counts = {}
    for trace_id, spans in everything.items():
        kind, keep = wanted(spans)
        have = arrived.pop(trace_id, [])
        check(bool(have) == keep, f"{kind} trace {trace_id} {'arrived' if have else 'did not arrive'}:\n"
              f"{observer.tree(spans)}")
        if keep:
            equal({s.span_id for s in have}, {s.span_id for s in spans}, f"spans of\n{observer.tree(spans)}\n")
            equal({threshold(s) for s in have}, {ONE_IN_20 if kind == "good" else 0}, "thresholds")
            check(all(s.sampled for s in have), f"a kept span is not sampled:\n{observer.tree(have)}")
        if is_checkout(spans):
            kept, n = counts.get(kind, (0, 0))
            counts[kind] = kept + keep, n + 1
    equal(list(arrived), [], "traces that there were not")
    failed = sum(n for kind, answers in json.loads(traffic.out)["kinds"].items() if kind != "not-found"
                 for status, n in answers.items() if status != "200")
    equal(counts["failing"], (failed, failed), "failing checkouts that arrived, and that there were, of those that traffic saw")
    kept, n = counts["good"]
    check(abs(kept - 0.05 * n) <= 1 + 5 * (0.05 * 0.95 * n) ** 0.5, f"{kept} of {n} good checkouts arrived: no chance")
    servers = [s for spans in everything.values() for s in spans if s.kind == "SERVER"]
    equal(requests, len(servers), "requests in /metrics")
    named = {exemplar.labels["trace_id"] for exemplar in exemplars}
    check(named, "there are no exemplars")
    equal(named - set(by_trace(receiver.spans())), set(), "traces of exemplars that did not arrive")
    told = re.search(r"sampling: (\d+) of (\d+) traces kept: (.*)", zerospan.err)
    check(told, f"no word about sampling in {zerospan.err}")
    equal(int(told.group(1)), len(by_trace(receiver.spans())), "traces kept, as the summary has them")
    equal(int(told.group(2)), len(everything), "traces, as the summary has them")
    # The same again from the recording, if it is asked for.
    again = by_trace(replayed(t, "--config", CONFIG, "--sampling", recording))
    equal(set(again), set(by_trace(receiver.spans())), "traces of the replay with sampling")
    t.note(", ".join(f"{kind} checkouts: {kept} of {n} arrived" for kind, (kept, n) in sorted(counts.items())))
    t.note(told.group(0))


def test_metrics_of_sampling(t):
    receiver, shop = Receiver(t), Shop(t)
    zerospan = observe(t, receiver, "--config", t.write("c.yaml", "sampling: {errors: 1, default: 0}"), "--pid", shop.pid)
    client = shop.client()
    for _ in range(5):
        client.get("/")
    equal(client.post_json("/checkout", order("gramophone")).status, 400, "an order of what is not there")
    series = "zerospan_sampling_traces_total"
    wait_for(lambda: zerospan.metrics().sum(series) == 6, "six traces in /metrics")
    equal({(labels["decision"], labels["reason"]): value for labels, value in zerospan.metrics().select(series)},
          {("dropped", "ratio"): 5, ("kept", "error"): 1}, "decisions")
    zerospan.stop()
    equal([entry(spans).name for spans in by_trace(receiver.spans()).values()], ["POST /checkout"], "what arrived")


def test_rate_of_a_route(t):
    """Never more than the rate in a second, of each route by itself, those that fail besides, and still the claims count right."""
    rates, seconds, failing = {"GET /": 20, "POST /checkout": 5}, 5, 30
    config = t.write("c.yaml", 'sampling: {errors: 1, rate: {GET /: 20/s, "*": 5/s}}')
    receiver, shop = Receiver(t), Shop(t, "pool")
    zerospan = observe(t, receiver, "--config", config, "--pid", shop.pid)
    begin = time.monotonic()
    crews = [t.start(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--mix", mix, "--rate", rate, "--duration",
                     seconds) for mix, rate in (("welcome:1", 200), ("headphones:1", 40))]
    client = shop.client()
    for _ in range(failing):
        equal(client.post_json("/checkout", order("gramophone")).status, 400, "an order of what is not there")
    failing_s = time.monotonic() - begin
    for traffic in crews:
        equal(traffic.wait(40), 0, "exit status of traffic")
    rest(zerospan)
    took = time.monotonic() - begin
    metrics = zerospan.metrics()
    zerospan.stop()
    traces = [entry(spans) for spans in by_trace(receiver.spans()).values()]
    equal(sum(first.get("http.response.status_code") == 400 for first in traces), failing, "failing orders")
    for name, rate in rates.items():
        kept = [first for first in traces if first.name == name and first.get("http.response.status_code") == 200]
        sent = metrics.sum(REQUESTS, http_route=name.partition(" ")[2], http_response_status_code="200")
        free_s = seconds - 2 - (failing_s if name == "POST /checkout" else 0)  # those that fail leave no room for others
        least = min(sent, rate * free_s / lib.SLOWNESS)  # a slow machine lets them come in bursts
        check(least <= len(kept) <= rate * (took + 1), f"{len(kept)} of {sent} {name} were kept in {took:.1f} s")
        counted = sum(1 / (1 - threshold(span) / (1 << 56)) for span in kept)
        if name == "GET /":
            check(0.5 * sent < counted < 2 * sent, f"{name} counted by their claims {counted:.0f}, there were {sent}")
        t.note(f"{name}: {len(kept)} of {sent:.0f} kept at {rate}/s; counted by their thresholds: {counted:.0f}")


# Asks the next one, if there is one, and answers 200 whatever becomes of it: /swallow, /late, / to /bad, /slow, /fine of that one;
# /twice has its database refuse a row.
FORGIVING = r'''
import http.server, sqlite3, sys, time, urllib.error, urllib.request
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("CREATE TABLE t(a UNIQUE)")
asks = {"/swallow": "/bad", "/late": "/slow", "/": "/fine"}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(1.6)
        try:
            if self.path == "/twice":
                db.execute("INSERT INTO t VALUES (1), (1)")
            elif self.path in asks:
                urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[2]}{asks[self.path]}", timeout=5).close()
        except (sqlite3.Error, urllib.error.HTTPError):
            pass
        self.send_response(500 if self.path == "/bad" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
'''


def test_what_is_below_decides(t):
    """A request that went well, and that something failed or was slow below: the whole local trace is kept, the request with it."""
    receiver, ports, servers = Receiver(t), [], []
    for name in ("back", "front"):
        servers.append(t.start(lib.PYTHON, t.write("forgiving.py", FORGIVING), t.path(f"{name}.db"), *ports))
        ports = [int(wait_for(lambda: servers[-1].out.strip(), "the server's port"))]
    config = t.write("c.yaml", "sampling: {errors: 1, slower_than: {1500ms: 1}, default: 0}")
    zerospan = observe(t, receiver, "--config", config, *(arg for server in servers for arg in ("--pid", server.pid)))
    client = Client(ports[0])
    for path in ("/", "/swallow", "/", "/twice", "/", "/late", "/"):
        equal(client.get(path).status, 200, f"status of {path}")
    rest(zerospan)
    zerospan.stop()
    arrived = {}
    for spans in by_trace(receiver.spans()).values():
        equal({threshold(span) for span in spans}, {0}, f"thresholds of\n{observer.tree(spans)}\n")
        arrived[entry(spans).get("url.path")] = sorted((s.kind, s.get("http.response.status_code"), s.status) for s in spans)
    equal(arrived, {
        "/swallow": [("CLIENT", 500, "ERROR"), ("SERVER", 200, "UNSET"), ("SERVER", 500, "ERROR")],
        "/twice": [("CLIENT", None, "ERROR"), ("SERVER", 200, "UNSET")],
        "/late": [("CLIENT", 200, "UNSET"), ("SERVER", 200, "UNSET"), ("SERVER", 200, "UNSET")],
    }, "traces that arrived, by their requests")


def test_slower_than_its_route(t):
    """A percentile of the route's own requests: it fits none before there are enough, then a request that takes longer."""
    receiver, shop, n = Receiver(t), Shop(t), 60
    zerospan = observe(t, receiver, "--config", t.write("c.yaml", "sampling: {default: 0, slower_than: {p95: 1.0}}"),
                       "--pid", shop.pid)
    client = shop.client()
    slow = order("smartphone", 3)  # takes more than a second
    for what in [slow] + n * [order()] + [slow]:
        equal(client.post_json("/checkout", what).status, 200, "checkout")
    rest(zerospan)
    zerospan.stop()
    traces = sorted(by_trace(receiver.spans()).values(), key=lambda spans: entry(spans).start)
    check(traces, "nothing arrived")
    last = entry(traces[-1])
    check(last.seconds > 1, f"the slow checkout did not arrive, the last one was {last}")
    equal(threshold(last), 0, "its threshold")
    check(len(traces) < n // 5, f"{len(traces)} of {n} were slow")
    check(sum(entry(spans).seconds > 1 for spans in traces) == 1, "the first one, which nothing came before, arrived")


def test_sampler_of_the_environment(t):
    """OTEL_TRACES_SAMPLER stands for `default` and `parent`; the file's other rules stay."""
    receiver, shop = Receiver(t), Shop(t)
    zerospan = observer.observe_run(
        t, "--config", t.write("c.yaml", "sampling: {errors: 1, default: 1}"), "--pid", shop.pid, env={
            **receiver.environment, **NOW, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"})
    client, ids = shop.client(), [f"{'a' * 18}{digit}{'0' * 13}" for digit in "07f8"]
    for trace_id in ids:
        client.get("/", traceparent(trace_id, False))
    client.post_json("/checkout", order("gramophone"), traceparent("b" * 18 + "0" * 14, False))
    rest(zerospan)
    zerospan.stop()
    equal({(trace_id, threshold(spans[0])) for trace_id, spans in by_trace(receiver.spans()).items()},
          {(ids[2], 1 << 55), (ids[3], 1 << 55), ("b" * 18 + "0" * 14, 0)}, "what arrived")


def test_file_is_read_again(t):
    """SIGHUP: other rules hold from the next trace on."""
    receiver, shop = Receiver(t), Shop(t)
    config = t.write("c.yaml", "sampling: {default: 0}")
    zerospan = observe(t, receiver, "--config", config, "--pid", shop.pid)
    client = shop.client()
    for i, text in enumerate([None, "sampling: {default: 1}", "routes: []", "sampling: {default: 0}"]):
        if text:
            t.write("c.yaml", text)
            zerospan.signal(signal.SIGHUP)
            wait_for(lambda i=i: zerospan.err.count("is read again") == i, "the file to be read again")
        client.get(f"/number/{i}x")
        wait_for(lambda i=i: zerospan.metrics().sum(REQUESTS) == i + 1, "the request in /metrics")
        wait_stable(lambda: zerospan.metrics().sum("zerospan_traces_total"), "its trace")
    zerospan.stop()
    equal([(s.get("url.path"), s.trace_state) for s in receiver.spans()], [("/number/1x", "ot=th:0"), ("/number/2x", "")],
          "what arrived, and its tracestate")


def traceparent(trace_id, sampled):
    return [("traceparent", f"00-{trace_id}-00f067aa0ba902b7-0{int(sampled)}")]


def test_parent_has_decided(t):
    """The sampled flag of who began the trace: 1 keeps it, 0 leaves what the rules know something of."""
    config = "sampling: {errors: 1, default: 0.05}"
    receiver, shop = Receiver(t), Shop(t)
    zerospan = observe(t, receiver, "--config", t.write("c.yaml", config), "--pid", shop.pid)
    client, low, high = shop.client(), "a" * 18, "b" * 18
    good, bad = order(), order("gramophone")
    rows = [  # trace id, sampled, tracestate, order, whether it is kept, its threshold
        (low + "0" * 14, True, "", good, True, None),
        (low + "0" * 13 + "1", True, "x=y,ot=th:c", good, True, None),  # it cannot have been sampled by that
        (high + "f" * 14, True, "x=y,ot=th:c", good, True, 0xc << 52),
        (high + "f" * 13 + "e", False, "", good, False, None),
        (low + "0" * 13 + "2", False, "", bad, True, 0),
        (low + "0" * 13 + "3", True, "", bad, True, 0),
    ]
    for trace_id, sampled, state, what, _, _ in rows:
        headers = traceparent(trace_id, sampled) + ([("tracestate", state)] if state else [])
        client.post_json("/checkout", what, headers)
    rest(zerospan)
    zerospan.stop()
    arrived = by_trace(receiver.spans())
    equal(set(arrived), {row[0] for row in rows if row[4]}, "traces that arrived")
    for trace_id, _, state, _, keep, claim in rows:
        if not keep:
            continue
        equal({threshold(span) for span in arrived[trace_id]}, {claim}, f"thresholds of {trace_id}")
        check(all(span.sampled for span in arrived[trace_id]), f"{trace_id} is not sampled")
        equal("x=y" in entry(arrived[trace_id]).trace_state, bool(state), "the other member of tracestate")


def test_parent_is_not_asked(t):
    config = "sampling: {default: 0.5, parent: ignore}"
    receiver, shop = Receiver(t), Shop(t)
    zerospan = observe(t, receiver, "--config", t.write("c.yaml", config), "--pid", shop.pid)
    client, ids = shop.client(), [f"{'a' * 18}{digit}{'0' * 13}" for digit in "07f8"]
    for i, trace_id in enumerate(ids):
        client.get("/", traceparent(trace_id, i % 2))
    rest(zerospan)
    zerospan.stop()
    equal({(s.trace_id, threshold(s)) for s in receiver.spans()}, {(ids[2], 1 << 55), (ids[3], 1 << 55)}, "what arrived")


class Service:
    """relay_server.py, and a zerospan of its own that samples."""

    def __init__(self, t, config, ask=None):
        self.process = t.start(lib.PYTHON, os.path.join(lib.HERE, "relay_server.py"), *([ask] if ask else []))
        self.port = int(wait_for(lambda: self.process.out.strip(), "the server's port"))
        self.receiver = Receiver(t)
        self.zerospan = observe(t, self.receiver, "--config", t.write(f"{self.port}.yaml", config), "--pid",
                                self.process.pid)

    def kept(self):
        """Ids of the traces that its zerospan kept, at the end."""
        rest(self.zerospan)
        equal(self.zerospan.stop(), 0, "exit status")
        return set(by_trace(self.receiver.spans()))


def send(port, n, sampled, state=lambda _: ""):
    """n requests of as many traces, with the flag and the tracestate that their ids are given; the ids."""
    generator, client, ids = random.Random(n), Client(port), []
    for _ in range(n):
        trace_id = f"{generator.getrandbits(128):032x}"
        more = [("tracestate", state(trace_id))] if state(trace_id) else []
        client.get("/", traceparent(trace_id, sampled(trace_id)) + more)
        ids.append(trace_id)
    client.close()
    return ids


@lib.deadline(90)
def test_two_observers_keep_the_same(t):
    """Two services of one trace, each observed by a zerospan of its own: the same ratio keeps the same traces, a higher one
    those and more. A trace that fails at one of them is an error for the one that asks it, too."""
    back = Service(t, "sampling: {errors: 1, default: 0.25, parent: ignore}")
    middle = Service(t, "sampling: {errors: 1, default: 0.25, parent: ignore}", back.port)
    front = Service(t, "sampling: {errors: 1, default: 0.5, parent: ignore}", middle.port)
    ids = send(front.port, 120, lambda _: False)
    bad = f"{'c' * 18}{'0' * 14}"
    equal(Client(front.port).get("/bad", traceparent(bad, False)).status, 500, "status of /bad")
    quarter = {i for i in ids if randomness(i) >= 3 << 54} | {bad}
    half = {i for i in ids if randomness(i) >= 1 << 55} | {bad}
    equal((back.kept(), middle.kept(), front.kept()), (quarter, quarter, half), "traces kept by back, middle and front")
    check(10 < len(quarter) < len(half) < 100, f"{len(quarter)} and {len(half)} of {len(ids)}")


def test_two_observers_follow_the_parent(t):
    """Who begins the trace samples by the same randomness, and says so by its flag, or by its threshold, too: both keep what it
    keeps, and pass on what it says."""
    for state, claim in ("", None), ("ot=th:c", 3 << 54):
        back = Service(t, "sampling: {default: 0.05}")
        front = Service(t, "sampling: {default: 0.9}", back.port)
        ids = send(front.port, 60, lambda i: randomness(i) >= 3 << 54, lambda _, state=state: state)
        quarter = {i for i in ids if randomness(i) >= 3 << 54}
        equal((back.kept(), front.kept()), (quarter, quarter), "traces kept")
        equal({threshold(s) for service in (back, front) for s in service.receiver.spans()}, {claim}, "thresholds")


def test_two_observers_take_the_given_randomness(t):
    """The randomness that a tracestate gives decides in place of the trace id's, for both alike, and goes on with the threshold."""
    def given(trace_id):
        return trace_id[:14]

    def kept(rv):
        return int(rv, 16) >= 3 << 54

    back = Service(t, "sampling: {default: 0.25, parent: ignore}")
    front = Service(t, "sampling: {default: 0.25, parent: ignore}", back.port)
    ids = send(front.port, 120, lambda _: True, lambda i: f"x=y,ot=rv:{given(i)}")
    quarter = {i for i in ids if kept(given(i))}
    check(quarter != {i for i in ids if kept(i[-14:])}, "the ids would decide otherwise")
    equal((back.kept(), front.kept()), (quarter, quarter), "traces kept")
    for spans in (front.receiver.spans(), back.receiver.spans()):
        equal({s.trace_state for s in spans if s.kind == "SERVER"}, {f"ot=th:c;rv:{given(i)},x=y" for i in quarter}, "tracestates")


def test_trace_shows_everything(t):
    """A command for an incident drops nothing unless it is told to."""
    config = t.write("c.yaml", "sampling: {default: 0}")
    shop = Shop(t)
    whole = observer.observe(t, "--config", config, "--pid", shop.pid)
    shop.client().get("/")
    whole.wait_spans(1)
    equal([s.trace_state for s in whole.finish()], [""], "tracestate without sampling")
    check("sampling:" not in whole.err, whole.err)
    sampled = observer.observe(t, "--config", config, "--sampling", "--pid", shop.pid)
    shop.client().get("/")
    equal(sampled.finish(), [], "spans with --sampling")
    check("sampling: 0 of 1 traces kept" in sampled.err, sampled.err)
