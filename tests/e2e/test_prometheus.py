# SPDX-License-Identifier: Apache-2.0
"""/metrics of `zerospan run`: read by promtool, by a strict reader of OpenMetrics and by a checker of our own, and scraped by
a real Prometheus. Version 2.42 always asks for OpenMetrics: the text format is read by promtool and the checker only."""
import json
import subprocess
import time
import urllib.parse
import urllib.request

import lib
import observer
from exposition import check_exposition
from lib import Failure, check, equal, wait_for
from shop import Shop, order

DURATION = "http_server_request_duration_seconds"
CHECKOUTS = 3
REQUESTS = 2 * CHECKOUTS  # each makes the shop call itself
# OpenTelemetry's names end in what promtool keeps for histograms; it says so and has no other complaint.
ENDS_IN_COUNT = ("process_thread_count", "process_unix_file_descriptor_count")
READER = """
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    pass
"""
CONFIG = """
scrape_configs:
  - job_name: scraped
    scrape_interval: 1s
    scrape_timeout: 1s
    honor_labels: true
    static_configs: [{{targets: ["{target}"]}}]
"""


def start(t):
    """The shop, observed, after some requests that are counted; spans on stdout."""
    shop = Shop(t)
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--listen", "127.0.0.1:0", "--pid", shop.pid)
    zerospan.wait_ready()
    for _ in range(CHECKOUTS):
        equal(shop.client().post_json("/checkout", order()).status, 200, "checkout")
    wait_for(lambda: zerospan.metrics().sum(DURATION + "_count") == REQUESTS, f"{REQUESTS} requests in /metrics")
    return zerospan


def expect_spans(zerospan, labels):
    """Each exemplar's labels name a span that zerospan writes, now or when its trace is complete."""
    named = {(label["trace_id"], label["span_id"]) for label in labels}
    wait_for(lambda: named <= {(span.trace_id, span.span_id) for span in zerospan.spans()},
             lambda: f"the spans of exemplars {named}, there are\n{observer.tree(zerospan.spans())}")


def test_promtool(t):
    promtool = lib.tool("promtool", "prometheus")
    checked = subprocess.run([promtool, "check", "metrics"], input=start(t).metrics_text(), text=True,
                             capture_output=True, check=False, timeout=20)
    complaints = [line for line in (checked.stdout + checked.stderr).splitlines()
                  if line and not (line.startswith(ENDS_IN_COUNT) and '"_count" suffix' in line)]
    equal(complaints, [], "what promtool says")
    check(checked.returncode in (0, 3), f"promtool ends with {checked.returncode}")  # 3: lint, as expected above


def test_strict_reader(t):
    lib.python_module("prometheus_client", "python3-prometheus-client")
    read = subprocess.run([lib.PYTHON, "-c", READER], input=start(t).openmetrics_text(), text=True, capture_output=True,
                          check=False, timeout=20)
    equal(read.returncode, 0, f"the strict reader: {read.stderr}")


def test_series_families_and_exemplars(t):
    """What those readers let pass."""
    zerospan = start(t)
    equal(check_exposition(zerospan.metrics_text()), [], "exemplars in text 0.0.4, which has none")
    exemplars = [e for e in check_exposition(zerospan.openmetrics_text()) if e.name == DURATION + "_bucket"]
    check(exemplars, "no exemplars of requests")
    expect_spans(zerospan, [exemplar.labels for exemplar in exemplars])


def test_checker(t):
    """The checker refuses what it is there for."""
    head = "# TYPE a histogram\n"
    for text in ('a_bucket{le="1.0"} 1\n', head + "b_sum 1\n", head + "a_sum 1\na_sum 2\n",
                 head + "# TYPE b gauge\nb 1\na_sum 1\n", head + "# TYPE b gauge\nb 1\n" + head + "a_sum 1\n",
                 head + 'a_bucket{le="1.0"} 1\na_bucket{le="2.0"} 2 # {trace_id="x"} 0.5 1.0\n',
                 head + 'a_bucket{le="1.0"} 1 # {trace_id="x"} 1.5 1.0\n', head + 'a_sum 1 # {trace_id="x"} 1 1.0\n'):
        try:
            check_exposition(text)
        except Failure:
            continue
        raise Failure(f"the checker finds nothing wrong in {text!r}")


def test_address_by_environment(t):
    """OpenTelemetry's variables say where; a bad one is warned of and --listen comes first."""
    def url(*args, **environment):
        variables = {f"OTEL_EXPORTER_PROMETHEUS_{name}": value for name, value in environment.items()}
        zerospan = observer.start(t, "run", "--format", "none", "--pid", shop.pid, *args, env=variables)
        zerospan.wait_ready()
        zerospan.metrics_text()  # somebody answers; there may be nothing to tell yet
        zerospan.stop()
        return zerospan.metrics_url, "is ignored" in zerospan.err

    shop, port = Shop(t), lib.free_port("::1")
    equal(url(HOST="::1", PORT=str(port)), (f"http://[::1]:{port}/metrics", False), "by the environment")
    equal(url(HOST="no address", PORT=str(port)), (f"http://127.0.0.1:{port}/metrics", True), "a bad host")
    equal(url("--listen", f"127.0.0.1:{port}", HOST="::1", PORT="no port"),
          (f"http://127.0.0.1:{port}/metrics", False), "--listen")


class Prometheus:
    """A real one that scrapes a zerospan each second."""

    def __init__(self, t, zerospan):
        program = lib.tool("prometheus", "prometheus")
        config, port = t.path("prometheus.yml"), lib.free_port()
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(target=urllib.parse.urlsplit(zerospan.metrics_url).netloc))
        self.api = f"http://127.0.0.1:{port}/api/v1/"
        self.process = t.start(program, f"--config.file={config}", f"--storage.tsdb.path={t.path('tsdb')}",
                               f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage")
        wait_for(lambda: lib.listens(port), lambda: f"prometheus to listen: {self.process.err}", 30)

    def get(self, path, **parameters):
        """The data of an answer; None while it is not ready to answer."""
        try:
            with urllib.request.urlopen(f"{self.api}{path}?{urllib.parse.urlencode(parameters)}", timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def target(self):
        data = self.get("targets")
        return data["activeTargets"][0] if data and data["activeTargets"] else {"health": "unknown", "lastError": ""}

    def series(self, selector):
        data = self.get("query", query=selector)
        return data["result"] if data else []

    def exemplars(self, selector):
        now = time.time()
        data = self.get("query_exemplars", query=selector, start=now - 300, end=now + 1)
        return [e for series in data or [] for e in series["exemplars"]]


@lib.deadline(90)
def test_scraped(t):
    lib.tool("prometheus", "prometheus")  # before anything is started
    zerospan = start(t)
    prometheus = Prometheus(t, zerospan)
    wait_for(lambda: prometheus.target()["health"] != "unknown", "a scrape", 30)
    target = prometheus.target()
    equal((target["health"], target["lastError"]), ("up", ""), "the target's health and its last error")
    series = wait_for(lambda: prometheus.series(DURATION + "_count"), "the count of requests", 20)
    equal(sum(float(s["value"][1]) for s in series), REQUESTS, "requests in Prometheus")
    equal({s["metric"]["job"] for s in series}, {"unknown_service:shop"}, "jobs")  # zerospan's, not the scraper's
    exemplars = wait_for(lambda: prometheus.exemplars(DURATION + "_bucket"), "exemplars", 20)
    expect_spans(zerospan, [exemplar["labels"] for exemplar in exemplars])
    equal(prometheus.series('{exported_job!=""}'), [], "series with an exported_job")
    equal(len(prometheus.series("target_info")), 1, "target_info series")
