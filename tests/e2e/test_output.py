# SPDX-License-Identifier: Apache-2.0
"""--output, --output-metrics and --output-logs with rotation: lines stay whole and nothing is lost between the files."""
import json
import os

import lib
import observer
from lib import check, equal
from shop import Shop, order

RUNS_TOGETHER = True

MAX_BYTES = 16 * 1024
REQUESTS = 300


def files(path):
    """FILE and what was rotated away, the oldest first."""
    old = [name for name in os.listdir(os.path.dirname(path))
           if name.startswith(os.path.basename(path) + ".")]
    old.sort(key=lambda name: -int(name.rsplit(".", 1)[1]))
    return [os.path.join(os.path.dirname(path), name) for name in old] + [path]


def lines_of(path, kind):
    """All lines of FILE and what was rotated away, each one object of this kind and nothing else."""
    objects = []
    for name in files(path):
        with open(name, encoding="utf-8") as f:
            text = f.read()
        check(text.endswith("\n") or not text, f"{name} ends inside a line")
        size = os.path.getsize(name)
        check(size <= MAX_BYTES or text.count("\n") == 1, f"{name} has {size} bytes")
        objects += [json.loads(line) for line in text.splitlines()]
    for line in objects:
        equal(list(line), [kind], f"what a line of {path} has")
    return objects


def test_rotation_under_traffic(t):
    """Every line parses, every file is within its size, every request is in exactly one of them."""
    shop = Shop(t)
    path = t.path("out.json")
    zerospan = observer.start(t, "trace", "--format", "none", "--output", path, "--output-max-size",
                              "16K", "--output-keep", "1000", "--pid", shop.pid)
    zerospan.wait_ready()
    client = shop.client()
    for i in range(REQUESTS):
        client.request("GET", f"/rotated/{i}")
    equal(zerospan.stop(), 0, "exit status")
    spans = [span for line in lines_of(path, "resourceSpans") for span in observer.spans_of(line)]
    paths = [span.get("url.path") for span in spans if span.get("url.path")]
    seen = [span.span_id for span in spans]
    check(len(files(path)) > 5, f"only {len(files(path))} files")
    equal(len(seen), len(set(seen)), "spans that are in one file only")
    equal(paths, [f"/rotated/{i}" for i in range(REQUESTS)], "requests in the order of the files")
    check("did not arrive" not in zerospan.err, zerospan.err)


def points(line, metric):
    """(service, point) of one metric in a MetricsData object."""
    return [(observer.attributes(group["resource"]["attributes"])["service.name"], point)
            for group in line["resourceMetrics"] for scope in group["scopeMetrics"]
            for found in scope["metrics"] if found["name"] == metric
            for data in (found.get("histogram") or found.get("sum") or found["gauge"],)
            for point in data["dataPoints"]]


def test_each_signal_has_its_file(t):
    """Traces, metrics and log records of a run: three files, each rotated, each complete."""
    shop = Shop(t)
    traces, metrics, logs = (t.path(name + ".json") for name in ("traces", "metrics", "logs"))
    zerospan = observer.start(t, "run", "--format", "none", "--listen", "127.0.0.1:0", "--output", traces,
                              "--output-metrics", metrics, "--output-logs", logs, "--output-max-size", "16K",
                              "--output-keep", "1000", "--pid", shop.pid,
                              env={"OTEL_METRIC_EXPORT_INTERVAL": "300"})
    zerospan.wait_ready()
    client = shop.client()
    for i in range(REQUESTS):
        client.request("GET", f"/rotated/{i}")
    lib.wait_for(lambda: len(files(metrics)) > 3, "three files of metrics to be full")
    equal(zerospan.stop(), 0, "exit status")
    spans = [span for line in lines_of(traces, "resourceSpans") for span in observer.spans_of(line)]
    equal(len(spans), REQUESTS, "spans")
    exports = [points(line, "http.server.request.duration") for line in lines_of(metrics, "resourceMetrics")]
    totals = [sum(int(point["count"]) for _, point in found) for found in exports]
    equal(totals, sorted(totals), "requests, from export to export")
    equal(totals[-1], REQUESTS, "requests in the last export, which is that of the end")
    equal({service for service, _ in exports[-1]}, {"unknown_service:shop"}, "service")
    said = [record["body"]["stringValue"] for line in lines_of(logs, "resourceLogs")
            for group in line["resourceLogs"] for scope in group["scopeLogs"] for record in scope["logRecords"]]
    check(any(text.startswith("observing shop") for text in said), f"log records: {said}")


def test_metrics_of_trace(t):
    """`trace` writes its metrics at the end."""
    shop = Shop(t)
    path = t.path("metrics.json")
    zerospan = observer.observe(t, "--output-metrics", path, "--pid", shop.pid)
    for _ in range(3):
        shop.client().get("/")
    zerospan.wait_spans(3)
    equal(zerospan.stop(), 0, "exit status")
    (line,) = lines_of(path, "resourceMetrics")
    equal(sum(int(point["count"]) for _, point in points(line, "http.server.request.duration")), 3, "requests")
    check(points(line, "zerospan.spans"), "none of zerospan's own metrics")


def test_metrics_say_what_the_summary_does(t):
    """The last export has all that was counted, though the end came right after the request: spans, and what was decided."""
    shop = Shop(t)
    path, config = t.path("metrics.json"), t.write("c.yaml", "sampling: {default: 0}")
    zerospan = observer.observe(t, "--config", config, "--sampling", "--output-metrics", path, "--pid", shop.pid)
    equal(shop.client().post_json("/checkout", order()).status, 200, "checkout")
    equal(zerospan.stop(), 0, "exit status")
    check("sampling: 0 of 1 traces kept" in zerospan.err, zerospan.err)
    (line,) = lines_of(path, "resourceMetrics")
    told = {name: sum(point["asDouble"] for _, point in points(line, name))
            for name in ("zerospan.spans", "zerospan.traces", "zerospan.sampling.traces")}
    equal(told, {"zerospan.spans": 7, "zerospan.traces": 1, "zerospan.sampling.traces": 1}, "the last export")


def test_keeps_the_newest(t):
    shop = Shop(t)
    path = t.path("out.json")
    zerospan = observer.start(t, "trace", "--format", "none", "--output", path, "--output-max-size",
                              "4K", "--output-keep", "2", "--pid", shop.pid)
    zerospan.wait_ready()
    client = shop.client()
    for i in range(60):
        client.request("GET", f"/rotated/{i}")
    equal(zerospan.stop(), 0, "exit status")
    equal([os.path.basename(name) for name in files(path)], ["out.json.2", "out.json.1", "out.json"],
          "files that stay")
    last = [span.get("url.path") for name in files(path) for line in open(name, encoding="utf-8")
            for span in observer.spans_of(json.loads(line))]
    equal(last[-1], "/rotated/59", "last request")


def test_directory_vanishes(t):
    """What cannot be written is counted and told; writing goes on when the directory is back."""
    shop = Shop(t)
    directory = t.path("gone")
    path = os.path.join(directory, "out.json")
    os.mkdir(directory)
    zerospan = observer.start(t, "trace", "--format", "none", "--output", path, "--pid", shop.pid)
    zerospan.wait_ready()
    client = shop.client()
    client.request("GET", "/before")
    lib.wait_for(lambda: os.path.getsize(path) > 0, "the first line")
    os.rename(directory, directory + ".away")
    client.request("GET", "/meanwhile")
    lib.wait_for(lambda: f"cannot write to '{path}'" in zerospan.err, "the warning")
    os.mkdir(directory)
    client.request("GET", "/after")
    lib.wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the file again")
    zerospan.stop()
    with open(path, encoding="utf-8") as f:
        spans = [span for line in f for span in observer.spans_of(json.loads(line))]
    equal([span.get("url.path") for span in spans], ["/after"], "requests")
    check("1 spans did not arrive at file" in zerospan.err, zerospan.err)
