# SPDX-License-Identifier: Apache-2.0
"""/metrics of `zerospan run`: read by promtool, by a strict reader of OpenMetrics and by a checker of our own, and scraped by
a real Prometheus in both formats: version 2.42 always asks for OpenMetrics, so that a relay asks for text in its place."""
import http.server
import json
import subprocess
import threading
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
    """The shop, observed, after some requests that are counted, also in Tempo's series; spans on stdout."""
    shop = Shop(t)
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--span-metrics", "--listen", "127.0.0.1:0", "--pid", shop.pid)
    zerospan.wait_ready()
    for _ in range(CHECKOUTS):
        equal(shop.client().post_json("/checkout", order()).status, 200, "checkout")
    wait_for(lambda: zerospan.metrics().sum(DURATION + "_count") == REQUESTS, f"{REQUESTS} requests in /metrics")
    wait_for(lambda: zerospan.metrics().select("traces_target_info"), "the first complete trace in /metrics")
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


class TextRelay:
    """Answers scrapes with what zerospan answers to somebody who takes text only."""

    def __init__(self, t, zerospan):
        self.wanted, self.types = set(), set()  # what was asked for here, and the types of zerospan's answers
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                relay.wanted.add(self.headers["Accept"])
                request = urllib.request.Request(zerospan.metrics_url, headers={"Accept": "text/plain;version=0.0.4"})
                with urllib.request.urlopen(request, timeout=5) as answer:
                    kind, body = answer.headers["Content-Type"], answer.read()
                relay.types.add(kind)
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        t.cleanup(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Prometheus:
    """A real one that scrapes an address each second, and keeps exemplars."""

    def __init__(self, t, address):
        program = lib.tool("prometheus", "prometheus")
        config, port = t.path("prometheus.yml"), lib.free_port()
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(target=address))
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

    def wait_up(self):
        wait_for(lambda: self.target()["health"] == "up", lambda: f"a scrape that succeeds: {self.target()}", 30)
        equal(self.target()["lastError"], "", "the target's last error")

    def series(self, selector):
        data = self.get("query", query=selector)
        return data["result"] if data else []

    def exemplars(self, selector):
        now = time.time()
        data = self.get("query_exemplars", query=selector, start=now - 300, end=now + 1)
        return [e for series in data or [] for e in series["exemplars"]]


def address_of(zerospan):
    return urllib.parse.urlsplit(zerospan.metrics_url).netloc


@lib.deadline(90)
def test_scraped(t):
    lib.tool("prometheus", "prometheus")  # before anything is started
    zerospan = start(t)
    prometheus = Prometheus(t, address_of(zerospan))
    prometheus.wait_up()
    series = wait_for(lambda: prometheus.series(DURATION + "_count"), "the count of requests", 20)
    equal(sum(float(s["value"][1]) for s in series), REQUESTS, "requests in Prometheus")
    equal({s["metric"]["job"] for s in series}, {"unknown_service:shop"}, "jobs")  # zerospan's, not the scraper's
    exemplars = wait_for(lambda: prometheus.exemplars(DURATION + "_bucket"), "exemplars", 20)
    expect_spans(zerospan, [exemplar["labels"] for exemplar in exemplars])
    equal(prometheus.series('{exported_job!=""}'), [], "series with an exported_job")
    equal(len(prometheus.series("target_info")), 1, "target_info series")


SERVICES = {"gateway": 2, "inventory": 5}  # and how many requests each gets


def two_services(t):
    """zerospan, observing both."""
    shops = {name: Shop(t, name=name, env={"OTEL_SERVICE_NAME": name}) for name in SERVICES}
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--listen", "127.0.0.1:0",
                              *[word for shop in shops.values() for word in ("--pid", shop.pid)])
    zerospan.wait_ready()
    for name, shop in shops.items():
        client = shop.client()
        for _ in range(SERVICES[name]):
            equal(client.get("/").status, 200, "status")
    wait_for(lambda: zerospan.metrics().sum(DURATION + "_count") == sum(SERVICES.values()), "all requests in /metrics")
    return zerospan


def expect_services(prometheus):
    """Both have their own requests, and their own instance and target_info."""
    prometheus.wait_up()
    series = wait_for(lambda: prometheus.series(DURATION + "_count"), "the count of requests", 20)
    equal({s["metric"]["job"]: float(s["value"][1]) for s in series}, SERVICES, "requests by job")
    equal(len({s["metric"]["instance"] for s in series}), 2, "instances")
    of_buckets = prometheus.series(f"histogram_quantile(1, sum by (job, le) ({DURATION}_bucket))")
    equal({s["metric"]["job"] for s in of_buckets}, set(SERVICES), "jobs with buckets that a quantile can be had of")
    info = prometheus.series("target_info")
    equal(sorted((s["metric"]["job"], s["metric"]["process_executable_name"], s["value"][1]) for s in info),
          [(name, "shop", "1") for name in sorted(SERVICES)], "target_info")
    equal({s["metric"]["instance"] for s in info}, {s["metric"]["instance"] for s in series}, "instances of target_info")
    equal(prometheus.series('{exported_job!=""}'), [], "series with an exported_job")


@lib.deadline(90)
def test_two_services_scraped(t):
    """As OpenMetrics, with exemplars of both."""
    lib.tool("prometheus", "prometheus")
    zerospan = two_services(t)
    prometheus = Prometheus(t, address_of(zerospan))
    expect_services(prometheus)
    for name in SERVICES:
        exemplars = wait_for(lambda name=name: prometheus.exemplars(f'{DURATION}_bucket{{job="{name}"}}'), "exemplars", 20)
        expect_spans(zerospan, [exemplar["labels"] for exemplar in exemplars])


@lib.deadline(90)
def test_two_services_scraped_as_text(t):
    """The same series, and no exemplars."""
    lib.tool("prometheus", "prometheus")
    zerospan = two_services(t)
    relay = TextRelay(t, zerospan)
    prometheus = Prometheus(t, relay.address)
    expect_services(prometheus)
    check(all("openmetrics" in accept for accept in relay.wanted), f"the relay is not needed: {relay.wanted}")
    equal(relay.types, {"text/plain; version=0.0.4; charset=utf-8"}, "what was scraped")
    equal(prometheus.exemplars(DURATION + "_bucket"), [], "exemplars")
