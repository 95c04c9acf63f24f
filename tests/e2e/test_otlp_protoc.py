# SPDX-License-Identifier: Apache-2.0
"""What OTLP destinations receive, read by protoc with the messages of opentelemetry-proto v1.11.0 (tests/data/otlp.proto): nothing is of an
unknown field or of an unknown word, and all strings are UTF-8, whatever came from the wire."""
import os
import re
import subprocess

import lib
import observer
import otlp
import otlp_metrics
from http_raw import request_bytes
from lib import Failure, check, equal, wait_for
from otlp import Receiver
from shop import Shop, order

RUNS_TOGETHER = True

FOLDER = os.path.join(lib.ROOT, "tests", "data")
UNKNOWN = re.compile(r"^\s*\d+(:| \{)")  # protoc writes such a field by its number
UNKNOWN_WORD = re.compile(r"^\s*(kind|code|severity_number|aggregation_temporality): -?\d")  # and such a word of an enum
TRACES, METRICS, LOGS = "ExportTraceServiceRequest", "ExportMetricsServiceRequest", "ExportLogsServiceRequest"


def decode(kind, body):
    """The lines of protoc's text. Fails where it does not know a field, or the body is no such message."""
    protoc = lib.tool("protoc", "protobuf-compiler")
    done = subprocess.run([protoc, f"-I{FOLDER}", f"--decode=otlp.{kind}", "otlp.proto"], input=body, capture_output=True,
                          check=False, timeout=20)
    equal((done.returncode, done.stderr.decode()), (0, ""), f"protoc on a {kind}")
    lines = done.stdout.decode().splitlines()
    unknown = [line.strip() for line in lines if UNKNOWN.match(line) or UNKNOWN_WORD.match(line)]
    equal(unknown, [], f"what protoc does not know in a {kind}")
    return lines


def names(lines, of=None):
    """How often each field stands there; of one message only: of itself, and not of what is within it."""
    found, within = {}, []
    for line in lines:
        match = re.match(r"^\s*(\w+)(:| \{)", line)
        if match and (of is None or within[-1:] == [of]):
            found[match.group(1)] = found.get(match.group(1), 0) + 1
        if line.endswith("{"):
            within.append(match.group(1))
        elif line.strip() == "}":
            within.pop()
    return found


def decode_all(kind, bodies):
    check(bodies, f"no {kind}")
    return [line for body in bodies for line in decode(kind, body)]


def test_reader(t):
    """It finds what it is there for."""
    lib.tool("protoc", "protobuf-compiler")
    good = b"\x0a\x07\x12\x05\x12\x03\x2a\x01n"  # a span with a name
    check("name" in names(decode(TRACES, good)), "a span's name")
    for bad in (b"\x12\x00",  # field 2 of the request
                b"\x0a\x08\x12\x06\x12\x04\x8a\x01\x01n",  # field 17 of a span
                b"\x0a\x07\x12\x05\x12\x03\x2a\x01\xff",  # a name that is no UTF-8
                b"\x0a\x06\x12\x04\x12\x02\x30\x09",  # kind 9
                b"\x0a\x07\x12\x05\x12\x03\x2d\x01n"):  # a name of another wire type, cut short
        try:
            decode(TRACES, bad)
        except Failure:
            continue
        raise Failure(f"nothing is wrong in {bad.hex()}")


def requests(shop):
    """All kinds: a checkout with a parent, one that is refused, one that fails, and a path that is no UTF-8."""
    client = shop.client()
    parent = [("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01"), ("tracestate", "vendor=1")]
    equal(client.post_json("/checkout", order(), parent).status, 200, "checkout")
    equal(client.post_json("/checkout", order("unicorn")).status, 400, "refused")
    equal(client.get("/").status, 200, "page")
    client.send(request_bytes("GET", "/caf\xff/a?q=\xfe", [("User-Agent", "x\xffy")]))
    equal(client.read_response().status, 404, "not found")


def observed(t, **environment):
    """The receiver, after those requests and the end of zerospan."""
    lib.tool("protoc", "protobuf-compiler")
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--logs", "--pid", shop.pid, env={
        **receiver.environment, "OTEL_METRIC_EXPORT_INTERVAL": "1000", **environment})
    requests(shop)
    wait_for(lambda: any(span.get("http.response.status_code") == 404 for span in receiver.spans()), "the last request's span")
    wait_for(lambda: any(p.name == "http.server.request.duration" for body in list(receiver.metric_bodies)
                         for p in otlp_metrics.decode_request(body)), "metrics of requests")
    equal(zerospan.stop(), 0, "exit status")
    return receiver


def test_traces(t):
    receiver = observed(t)
    lines = decode_all(TRACES, receiver.bodies)
    found = names(lines)
    equal(found["spans"], len(receiver.spans()), "spans by protoc and by our own reader")
    of_spans = names(lines, "spans")  # links have such fields, too
    for name in ("trace_id", "span_id", "kind", "start_time_unix_nano", "end_time_unix_nano", "flags"):
        equal(of_spans[name], found["spans"], name)
    for name in ("resource", "scope", "version", "schema_url", "trace_state", "parent_span_id", "status", "code",
                 "int_value", "string_value"):
        check(name in found, f"no {name} in {sorted(found)}")
    check("kind: SPAN_KIND_SERVER" in "\n".join(lines) and "kind: SPAN_KIND_CLIENT" in "\n".join(lines), "kinds")
    paths = [span.get("url.path") for span in receiver.spans()]
    check("/caf\ufffd/a" in paths, f"the path with the byte 0xff, repaired, among {paths}")
    repaired = r'"/caf\357\277\275/a"'  # U+FFFD as protoc writes it
    check(any(line.strip() == f"string_value: {repaired}" for line in lines), f"no {repaired}")
    span, = (span for span in receiver.spans() if span.get("url.path") == "/caf\ufffd/a")
    equal(span.get("url.query"), "q=\ufffd", "query")
    equal(span.get("user_agent.original"), "x\ufffdy", "user agent")


def test_logs(t):
    receiver = observed(t)
    found = names(decode_all(LOGS, receiver.log_bodies))
    records = [record for body in receiver.log_bodies for group in map(otlp.message, otlp.message(body)[1])
               for scope in map(otlp.message, group[2]) for record in scope[2]]
    equal(found["log_records"], len(records), "records by protoc and by our own reader")
    for name in ("body", "observed_time_unix_nano", "severity_number", "severity_text"):
        equal(found[name], found["log_records"], name)
    for name in ("resource", "scope", "schema_url", "time_unix_nano", "attributes", "trace_id", "span_id", "flags"):
        check(name in found, f"no {name} in {sorted(found)}")


def test_metrics(t):
    receiver = observed(t)
    lines = decode_all(METRICS, receiver.metric_bodies)
    found = names(lines)
    points = [p for body in receiver.metric_bodies for p in otlp_metrics.decode_request(body)]
    equal(found["data_points"], len(points), "points by protoc and by our own reader")
    for name in ("gauge", "sum", "histogram", "explicit_bounds", "bucket_counts", "min", "max", "exemplars", "trace_id", "span_id",
                 "description", "unit", "is_monotonic", "as_double", "schema_url"):
        check(name in found, f"no {name} in {sorted(found)}")
    check("exponential_histogram" not in found, "exponential histograms that nobody asked for")
    check(not any("DELTA" in line for line in lines), "changes that nobody asked for")


def test_metrics_as_changes(t):
    receiver = observed(t, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
                        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="base2_exponential_bucket_histogram")
    lines = decode_all(METRICS, receiver.metric_bodies)
    found = names(lines)
    for name in ("exponential_histogram", "scale", "positive", "offset", "bucket_counts", "exemplars", "gauge"):
        check(name in found, f"no {name} in {sorted(found)}")
    check(any("AGGREGATION_TEMPORALITY_DELTA" in line for line in lines), "no changes")
    check("histogram" not in found, "histograms with bounds")


def dropped(lines):
    """The attributes that were left out, by protoc's reading."""
    return [int(line.split(": ")[1]) for line in lines if line.strip().startswith("dropped_attributes_count: ")]


def test_limits(t):
    """Attributes of spans are cut to so many characters and left out beyond so many, which is counted; those of resources are not."""
    lib.tool("protoc", "protobuf-compiler")
    receiver = Receiver(t)
    shop = Shop(t, env={"OTEL_RESOURCE_ATTRIBUTES": "team=a%20long%20name"})
    zerospan = observer.observe_run(t, "--pid", shop.pid, env={
        **receiver.environment, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "6",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "8"})
    shop.client().send(request_bytes("GET", "/caf\xc3\xa9\xc3\xa9/and/more", [("User-Agent", "something long")]))
    wait_for(receiver.spans, "the span")
    equal(zerospan.stop(), 0, "exit status")
    span, = receiver.spans()
    texts = [value for key, value in span.attrs.items() if isinstance(value, str) and not key.startswith("zerospan.")]
    check(texts and max(map(len, texts)) == 6, f"longest text of {span.attrs}")
    equal(span.get("url.path"), "/caf\u00e9\u00e9", "path, six characters of it in eight bytes")
    ours = [key for key in span.attrs if not key.startswith(("zerospan.time.", "zerospan.stack.", "zerospan.neighbours."))]
    equal(len(ours), 8, f"attributes among {ours}")
    equal(span.resource["team"], "a long name", "an attribute of the resource")
    left_out = dropped(decode_all(TRACES, receiver.bodies))
    check(len(left_out) == 1 and left_out[0] > 0, f"dropped_attributes_count {left_out}")


def test_resources(t):
    """Each observed process is a resource of its own: what its own variables say, and nothing of zerospan's."""
    lib.tool("protoc", "protobuf-compiler")
    receiver = Receiver(t)
    shops = {"named": Shop(t, name="named", env={"OTEL_SERVICE_NAME": "named", "OTEL_RESOURCE_ATTRIBUTES": "service.name=no,service.namespace=store"}),
             "of the list": Shop(t, name="listed", env={"OTEL_RESOURCE_ATTRIBUTES": "service.name=of%20the%20list,team=a%2Cb"}),
             "unknown_service:shop": Shop(t, name="plain")}
    zerospan = observer.observe_run(t, *[word for shop in shops.values() for word in ("--pid", shop.pid)], env={
        **receiver.environment, "OTEL_SERVICE_NAME": "observer", "OTEL_RESOURCE_ATTRIBUTES": "leaked=1"})
    for shop in shops.values():
        equal(shop.client().get("/").status, 200, "status")
    wait_for(lambda: len(receiver.spans()) >= len(shops), "all spans")
    equal(zerospan.stop(), 0, "exit status")
    decode_all(TRACES, receiver.bodies)
    resources = {span.resource["service.name"]: span.resource for span in receiver.spans()}
    equal({name: resource["process.pid"] for name, resource in resources.items()}, {name: shop.pid for name, shop in shops.items()}, "processes")
    equal(len({resource["service.instance.id"] for resource in resources.values()}), len(shops), "instances")
    wanted = {"named": ("store", None), "of the list": (None, "a,b"), "unknown_service:shop": (None, None)}
    equal({name: (r.get("service.namespace"), r.get("team")) for name, r in resources.items()}, wanted, "what the variables say")
    for resource in resources.values():
        check("leaked" not in resource, f"zerospan's own variables in {resource}")
        equal((resource["telemetry.sdk.name"], resource["telemetry.sdk.language"]), ("zerospan", "c"), "who tells")
