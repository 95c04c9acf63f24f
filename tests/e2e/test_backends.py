# SPDX-License-Identifier: Apache-2.0
"""Two destinations of OTLP under load, one of which hangs for a while: it costs its own queue and nothing else, and when it is
back, data flows again. BACKEND_SECONDS=300 for five minutes of it."""
import os
import re
import time

import lib
import observer
from lib import check, equal, wait_for, wait_stable
from nginx import Nginx
from otlp import Receiver

SECONDS = int(os.environ.get("BACKEND_SECONDS") or 8)
CONNECTIONS = 50  # with 10 ms between the requests of each: 4000 to 5000 spans per second
BAD, GOOD = "0", "1"  # numbers of the destinations
FLAT_MB = 3.0  # resident memory may differ by so much from one moment to another
LAG_S = 3.0


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


@lib.deadline(150 + 2 * SECONDS)
def test_hangs_under_load(t):
    bad = Receiver(t, "hang")
    counter = t.start(lib.built("bench/otlp_count"))
    port = wait_for(lambda: re.search(r"port (\d+)\n", counter.out), "the other receiver").group(1)
    nginx = Nginx(t, connections=200)
    zerospan = observer.observe_run(
        t, "--pid", nginx.pid, "--otlp-endpoint", bad.url, "--otlp-endpoint", f"http://127.0.0.1:{port}",
        env={"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_TIMEOUT": "2000"})
    load = t.start(lib.tool("wrk", "wrk"), "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s",
                   os.path.join(os.path.dirname(os.path.abspath(__file__)), "paced.lua"),
                   f"http://127.0.0.1:{nginx.port}/hello")
    wait_for(lambda: Fate(zerospan.metrics(), BAD).dropped > 0, "the queue to be full", 20)
    full_mb, slowest, last = resident_mb(zerospan.metrics()), 0.0, 0
    while load.status is None:
        begin = time.monotonic()
        metrics = zerospan.metrics()
        slowest = max(slowest, time.monotonic() - begin)
        good = Fate(metrics, GOOD)
        check(good.delivered > last, "nothing went to the good destination for a second and more")
        last = good.delivered
        time.sleep(1.5)
    end_mb = resident_mb(zerospan.metrics())
    check(end_mb < full_mb + FLAT_MB, f"{full_mb:.1f} MB grew to {end_mb:.1f} MB while one hung")
    check(slowest < 1.0, f"a scrape took {slowest:.2f} s")

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
    zerospan.stop()
    t.note(f"{made:.0f} spans at {made / SECONDS:.0f}/s, {ill.dropped:.0f} dropped and {ill.queued:.0f} kept while one hung, "
           f"{full_mb:.1f} to {end_mb:.1f} MB, slowest scrape {slowest * 1000:.0f} ms")
