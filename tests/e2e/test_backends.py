# SPDX-License-Identifier: Apache-2.0
"""Destinations of OTLP that hang, refuse or lie, beside a good one: they cost their own queues and nothing else, what does not arrive
is counted, and when one is back, data flows again. BACKEND_SECONDS=300 for five minutes of it under load."""
import os
import re
import time

import lib
import observer
import otlp_metrics
from lib import check, equal, wait_for, wait_stable
from nginx import Nginx
from otlp import Receiver, decode_request
from shop import COMPLETE, Shop, expect_shape, order

SECONDS = round(int(os.environ.get("BACKEND_SECONDS") or 8) * lib.SLOWNESS)
CONNECTIONS = 50  # with 10 ms between the requests of each: 4000 to 5000 spans per second
BAD, GOOD = "0", "1"  # numbers of the destinations
FLAT_MB = 3.0  # resident memory may differ by so much from one moment to another
QUEUE, SPAN_MB = 16384, 2e-3  # spans that a destination may leave behind, and what each may take in memory
LAG_S = 3.0  # after which a good destination has a span at the latest, however bad the others are
# What hangs is told from what is slow after TIMEOUT_MS. No batch is tried twice: a second attempt comes 2.5 s later at the earliest.
TIMEOUT_MS, EXPORT_TIMEOUT_MS = round(2000 * lib.SLOWNESS), 2300
NEW = 20  # requests once the other one is back
REQUESTS = 40
END_S = 12.0 * lib.SLOWNESS  # what the end may take: 5 s for what is left to arrive, and the kernel to let go of the probes


class Fate:
    """Spans of one destination, from one scrape."""

    def __init__(self, metrics, number):
        def value(name, component, failed=False):
            return sum(n for labels, n in metrics.select(name) if ("error_type" in labels) == failed
                       and re.fullmatch(rf"{component}/{number}", labels["otel_component_name"]))

        exported = "otel_sdk_exporter_span_exported_total"
        self.delivered = value(exported, r"otlp_\w+_span_exporter")
        self.failed = value(exported, r"otlp_\w+_span_exporter", failed=True)
        self.dropped = value("otel_sdk_processor_span_processed_total", "batching_span_processor", failed=True)
        self.queued = value("otel_sdk_processor_span_queue_size", "batching_span_processor")

    @property
    def all(self):
        return self.delivered + self.failed + self.dropped + self.queued


def spans_made(metrics):
    return metrics.sum("http_server_request_duration_seconds_count")


def resident_mb(metrics):
    return metrics.own("process_memory_usage_bytes") / 1e6


def expect_no_lag(seen, now, metrics):
    """The good destination has all spans that there were LAG_S ago; seen: (time, how many there were) of each scrape so far."""
    good = Fate(metrics, GOOD)
    for then, made in seen:
        check(then > now - LAG_S * lib.SLOWNESS or good.delivered >= made,
              f"the good destination has {good.delivered:.0f} of {made:.0f} spans after {now - then:.1f} s")
    seen.append((time.monotonic(), spans_made(metrics)))


def expect_new_ones(nginx, receiver):
    """Requests from now on arrive as spans that were not there before."""
    old = {span.span_id for span in receiver.spans()}
    n_bodies = len(receiver.bodies)
    client = nginx.client()
    for number in range(NEW):
        equal(client.get(f"/hello?new={number}").status, 200, "status")

    def new_spans():
        return [span for body in receiver.bodies[n_bodies:] for span in decode_request(body)]

    wait_for(lambda: len(new_spans()) >= NEW, "the new spans")
    equal(sorted(span.get("url.query") for span in new_spans()), sorted(f"new={number}" for number in range(NEW)), "new spans")
    equal(len({span.span_id for span in new_spans()} - old), NEW, "ids that were not there before")


@lib.deadline(150 + 2 * SECONDS / lib.SLOWNESS)
def test_hangs_under_load(t):
    bad = Receiver(t, "hang")
    counter = t.start(lib.built("bench/otlp_count"))
    port = wait_for(lambda: re.search(r"port (\d+)\n", counter.out), "the other receiver").group(1)
    nginx = Nginx(t, connections=200)
    zerospan = observer.observe_run(
        t, "--pid", nginx.pid, "--otlp-endpoint", bad.url, "--otlp-endpoint", f"http://127.0.0.1:{port}",
        "--stack-over", "1000s",  # the first stack costs 6 MB for symbols, whenever the machine makes a request slow
        env={"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_TIMEOUT": "2000"})
    empty_mb = wait_for(lambda: resident_mb(zerospan.metrics()), "the resident memory in /metrics")
    load = t.start(lib.tool("wrk", "wrk"), "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s",
                   os.path.join(os.path.dirname(os.path.abspath(__file__)), "paced.lua"),
                   f"http://127.0.0.1:{nginx.port}/hello")
    wait_for(lambda: Fate(zerospan.metrics(), BAD).dropped > 0, "the queue to be full", 20)
    full_mb = most_mb = resident_mb(zerospan.metrics())
    slowest, seen = 0.0, []
    while load.status is None:
        begin = time.monotonic()
        metrics = zerospan.metrics()
        slowest = max(slowest, time.monotonic() - begin)
        expect_no_lag(seen, begin, metrics)
        most_mb = max(most_mb, resident_mb(metrics))
        time.sleep(1)
    check(most_mb < full_mb + FLAT_MB, f"{full_mb:.1f} MB grew to {most_mb:.1f} MB while one hung")
    check(most_mb < empty_mb + QUEUE * SPAN_MB + FLAT_MB, f"a full queue takes {most_mb - empty_mb:.1f} MB")
    check(slowest < lib.SLOWNESS, f"a scrape took {slowest:.2f} s")

    wait_stable(lambda: spans_made(zerospan.metrics()), "the spans")
    wait_for(lambda: Fate(zerospan.metrics(), GOOD).delivered == spans_made(zerospan.metrics()),
             "all spans at the good destination", 20)
    metrics = zerospan.metrics()
    made, ill = spans_made(metrics), Fate(metrics, BAD)
    equal(int(counter.out.split()[-1]), made, "spans that arrived at the good one")
    equal((ill.delivered, ill.all), (0, made), "delivered at the other one, and all that is counted of it")
    equal(metrics.lost(), {}, "events lost")

    bad.mode = "ok"
    bad.released.set()
    wait_for(lambda: Fate(zerospan.metrics(), BAD).queued == 0, "its queue to empty", 60)
    well = Fate(zerospan.metrics(), BAD)
    equal(well.all, made, "all that is counted of it once it is back")
    check(well.delivered >= ill.queued - 512, f"{well.delivered} delivered of the {ill.queued} that were kept")
    equal(well.dropped, ill.dropped, "dropped")
    expect_new_ones(nginx, bad)
    wait_for(lambda: Fate(zerospan.metrics(), BAD).delivered == well.delivered + NEW, "the new ones to be counted as delivered")
    wait_for(lambda: int(counter.out.split()[-1]) == made + NEW, "the new ones at the good one, too")
    zerospan.stop()
    t.note(f"{made:.0f} spans at {made / SECONDS:.0f}/s, {ill.dropped:.0f} dropped and {ill.queued:.0f} kept while one hung, "
           f"{empty_mb:.1f} MB, full {full_mb:.1f} to {most_mb:.1f} MB, slowest scrape {slowest * 1000:.0f} ms")


def fates_by_cause(metrics, number):
    """Spans of one destination by why they failed; None: delivered."""
    found = {}
    for labels, value in metrics.select("otel_sdk_exporter_span_exported_total"):
        if value and labels["otel_component_name"] == f"otlp_http_span_exporter/{number}":
            found[labels.get("error_type")] = value
    return found


def beside_a_good_one(t, *bad_ones):
    """Destinations that are bad all at the same time, each given as what it does and why its spans count as failed (None: they do
    not). The good one has every span in no time, each of the others counts all of them, each once. Returns zerospan, ended."""
    good = Receiver(t)
    urls = [f"http://127.0.0.1:{lib.free_port()}" if mode == "nobody" else Receiver(t, mode).url for mode, _ in bad_ones]
    shop = Shop(t)
    zerospan = observer.observe_run(
        t, "--pid", shop.pid, *[word for url in [*urls, good.url] for word in ("--otlp-endpoint", url)],
        env={"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_TIMEOUT": str(TIMEOUT_MS),
             "OTEL_BSP_EXPORT_TIMEOUT": str(EXPORT_TIMEOUT_MS), "OTEL_BSP_SCHEDULE_DELAY": "100"})
    client = shop.client()
    begin = time.monotonic()
    for number in range(REQUESTS):
        equal(client.get(f"/?number={number}").status, 200, "status")
    wait_for(lambda: len(good.spans()) >= REQUESTS, "all spans at the good one", LAG_S)
    seconds = time.monotonic() - begin
    equal(sorted(span.get("url.query") for span in good.spans()), sorted(f"number={n}" for n in range(REQUESTS)), "spans")
    for number, (mode, cause) in enumerate([*bad_ones, ("ok", None)]):
        wait_for(lambda number=number: sum(fates_by_cause(zerospan.metrics(), number).values()) >= REQUESTS,
                 f"the fate of all spans at \"{mode}\"")
        equal(fates_by_cause(zerospan.metrics(), number), {cause: REQUESTS}, f"spans by cause at \"{mode}\"")
        equal(Fate(zerospan.metrics(), str(number)).all, REQUESTS, f"all that is counted at \"{mode}\"")
    equal(zerospan.stop(), 0, "exit status")
    for url in urls:
        check(f"spans to {url}/v1/traces: " in zerospan.err, f"no word of what is wrong with {url}: {zerospan.err}")
    check(f"spans to {good.url}" not in zerospan.err, f"something is said of the good one: {zerospan.err}")
    t.note(f"{REQUESTS} spans at the good one after {seconds:.2f} s")
    return zerospan


def test_refuse(t):
    zerospan = beside_a_good_one(t, ("nobody", "connection_failed"), (400, "400"), (503, "503"))
    for words in ("connect to server", "the server answered 400", "the server answered 503"):
        check(words in zerospan.err, f"no word of '{words}': {zerospan.err}")


def test_lie(t):
    """One that takes the request and never answers, one that says it took nothing, one that is something else."""
    zerospan = beside_a_good_one(t, ("hang", "timeout"), ("rejects", "rejected"), ("garbage", None))
    for words in ("the server rejected some: n", "the server's answer cannot be read"):
        check(words in zerospan.err, f"no word of '{words}': {zerospan.err}")


def test_end(t):
    """What was seen before the end arrives at the good destination, all three signals of it; the others hold up the end for their time only, all
    together."""
    good, hangs = Receiver(t), Receiver(t, "hang")
    urls = [f"http://127.0.0.1:{lib.free_port()}", hangs.url, Receiver(t, 503).url, good.url]
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, *[word for url in urls for word in ("--otlp-endpoint", url)])
    equal(shop.client().post_json("/checkout", order()).status, 200, "checkout")
    wait_for(lambda: zerospan.metrics().sum("http_server_request_duration_seconds_count") == 2, "both requests to be seen")
    begin = time.monotonic()
    equal(zerospan.stop(), 0, "exit status")
    seconds = time.monotonic() - begin
    check(seconds < END_S, f"the end took {seconds:.1f} s")
    expect_shape(good.spans(), COMPLETE)
    durations = [p for body in good.metric_bodies for p in otlp_metrics.decode_request(body) if p.name == "http.server.request.duration"]
    equal(sum(p.count for p in durations), 2, "requests in the metrics")
    check(good.log_bodies, "no log records")
    check(hangs.requests, "nothing was sent to the one that hangs")
    equal(len(re.findall(r"7 spans did not arrive", zerospan.err)), 3, f"destinations that are told of: {zerospan.err}")
    t.note(f"end after {seconds:.1f} s")
