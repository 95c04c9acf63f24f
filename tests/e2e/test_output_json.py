# SPDX-License-Identifier: Apache-2.0
"""OTLP/JSON of --output files, read by protobuf's own reader of JSON with the messages of opentelemetry-proto v1.11.0
(tests/data/otlp.proto): every key, type and enum is known, and all is as in protobuf, where OTLP/JSON has ids in hex for base64."""
import base64
import importlib
import json
import os
import subprocess
import sys

import lib
import observer
import otlp
import otlp_metrics
from lib import Failure, check, equal, wait_for
from shop import COMPLETE, Shop, expect_shape, order

RUNS_TOGETHER = True

FOLDER = os.path.join(lib.ROOT, "tests", "data")
IDS = ("traceId", "spanId", "parentSpanId")


class Reader:
    """protobuf's, for the messages of tests/data/otlp.proto."""

    def __init__(self, t):
        lib.python_module("google.protobuf.json_format", "python3-protobuf")
        subprocess.run([lib.tool("protoc", "protobuf-compiler"), f"-I{FOLDER}", f"--python_out={t.dir}", "otlp.proto"], check=True)
        sys.path.insert(0, t.dir)
        t.cleanup(sys.path.remove, t.dir)
        self.messages = importlib.import_module("otlp_pb2")
        self.json_format = importlib.import_module("google.protobuf.json_format")

    def read(self, kind, line):
        """The message of a line. Fails where a key or a value is none of it."""
        message = getattr(self.messages, kind)()
        try:
            return self.json_format.ParseDict(with_bytes(json.loads(line)), message)
        except (self.json_format.ParseError, ValueError) as error:
            raise Failure(f"protobuf cannot read a {kind}: {error}: {line[:300]}") from None

    def read_file(self, kind, path):
        with open(path, encoding="utf-8") as f:
            return [self.read(kind, line) for line in f]


def with_bytes(value):
    """The same with ids as JSON of protobuf has bytes."""
    if isinstance(value, list):
        return [with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else with_bytes(item) for key, item in value.items()}


def test_reader(t):
    """It finds what it is there for."""
    reader = Reader(t)

    def line(**span):
        return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})

    good = reader.read("ExportTraceServiceRequest", line(traceId="ab" * 16, kind=2, startTimeUnixNano="5"))
    span = good.resource_spans[0].scope_spans[0].spans[0]
    equal((span.trace_id, span.kind, span.start_time_unix_nano), (b"\xab" * 16, 2, 5), "a span")
    for bad in ({"traceId": "xy"}, {"kind": "SERVER"}, {"startTimeUnixNano": "now"}, {"novel": 1}, {"flags": "many"}, {"name": 7}):
        try:
            reader.read("ExportTraceServiceRequest", line(**bad))
        except Failure:
            continue
        raise Failure(f"nothing is wrong in {bad}")


def lines_of(path):
    """Whole lines so far."""
    with open(path, encoding="utf-8") as f:
        return [line for line in f if line.endswith("\n")]


def files_of_a_run(t):
    """The files of traces, metrics and log records of a checkout and a failed request."""
    shop = Shop(t)
    traces, metrics, logs = (t.path(name + ".json") for name in ("traces", "metrics", "logs"))
    zerospan = observer.observe_run(
        t, "--logs", "--output", traces, "--output-metrics", metrics, "--output-logs", logs, "--pid", shop.pid,
        env={"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"})
    client = shop.client()
    equal(client.post_json("/checkout", order(), [("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01")]).status, 200, "checkout")
    equal(client.get("/caf%C3%A9").status, 404, "not found")
    wait_for(lambda: any("ab" * 16 in line for line in lines_of(logs)), "the shop's line of the checkout")
    equal(zerospan.stop(), 0, "exit status")
    return traces, metrics, logs


def test_read_by_protobuf(t):
    """Each line; and written as protobuf, it has what the JSON has."""
    reader = Reader(t)
    traces, metrics, logs = files_of_a_run(t)
    spans = [span for message in reader.read_file("ExportTraceServiceRequest", traces)
             for span in otlp.decode_request(message.SerializeToString())]
    by_id = {span.span_id: span for line in lines_of(traces) for span in observer.spans_of(json.loads(line))}
    equal({span.span_id for span in spans}, set(by_id), "span ids")
    for span in spans:
        for name, value in vars(span).items():
            equal(value, getattr(by_id[span.span_id], name), f"{name} of {span}")
    expect_shape([span for span in spans if span.trace_id == "ab" * 16], COMPLETE)
    check("/caf%C3%A9" in [span.get("url.path") for span in spans], "the other request")
    points = [p for message in reader.read_file("ExportMetricsServiceRequest", metrics)
              for p in otlp_metrics.decode_request(message.SerializeToString())]
    durations = [p for p in points if p.name == "http.server.request.duration"]
    equal({p.kind for p in durations}, {otlp_metrics.EXPONENTIAL}, "kinds of histograms")
    equal(sum(p.count for p in durations), 3, "requests")
    check(any(p.exemplars for p in durations), "no exemplars")
    records = [record for message in reader.read_file("ExportLogsServiceRequest", logs)
               for group in message.resource_logs for scope in group.scope_logs for record in scope.log_records]
    check(any(record.trace_id == b"\xab" * 16 for record in records), "no record of the checkout")
    check(all(record.observed_time_unix_nano for record in records), "records without a time")
