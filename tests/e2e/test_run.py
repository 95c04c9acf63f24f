# SPDX-License-Identifier: Apache-2.0
"""`zerospan run`: /metrics, and OTLP to a backend that is well, or is not."""
import re
import time
import urllib.error
import urllib.request

import lib
import observer
from lib import check, equal, wait_for
from nginx import Load, Nginx
from otlp import Receiver, causes, exported
from shop import COMPLETE, Shop, expect_shape, expect_times, order

DURATION = "http_server_request_duration_seconds"
FLUSH_S = 12.0  # what zerospan may take to end while a backend does not answer, the kernel to let go of its probes included


# --- /metrics


def test_metrics(t):
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid)
    client = shop.client()
    for _ in range(3):
        equal(client.post_json("/checkout", order()).status, 200, "checkout")
    equal(client.post_json("/checkout", order("no such thing")).status, 400, "checkout")
    equal(client.request("POST", "/checkout", (), "{").status, 422, "checkout")
    wait_for(lambda: zerospan.metrics().sum(DURATION + "_count") == 9, "nine requests")
    metrics = zerospan.metrics()
    equal(metrics.types[DURATION], "histogram", "type")
    same = {"http_request_method": "POST", "url_scheme": "http", "network_protocol_version": "1.1"}
    for route, status, count in (("/checkout", "200", 3), ("/checkout", "400", 1),
                                 ("/checkout", "422", 1), ("/inventory/deduct", "200", 3),
                                 ("/inventory/deduct", "400", 1)):
        equal(metrics.sum(DURATION + "_count", http_route=route, http_response_status_code=status,
                          **same), count, f"{route} with {status}")
    (labels, total), = metrics.select(DURATION + "_sum", http_route="/checkout",
                                      http_response_status_code="200")
    check(0 < total < 5, f"three checkouts lasted {total} s")
    buckets = metrics.select(DURATION + "_bucket", http_route="/checkout",
                             http_response_status_code="200")
    values = [value for _, value in sorted(buckets, key=lambda b: float(b[0]["le"]))]
    equal(values, sorted(values), "buckets are cumulative")
    equal(values[-1], 3, "bucket +Inf")
    equal(metrics.sum("http_client_request_duration_seconds_count", server_port=str(shop.port)), 4,
          "client requests")
    equal(metrics.sum("db_client_operation_duration_seconds_count", db_query_summary="INSERT orders",
                      db_namespace=shop.database), 4, "INSERTs")
    for name in ("zerospan_records_total", "zerospan_spans_total", "zerospan_traces_total",
                 "zerospan_captured_bytes_total", "process_cpu_time_seconds_total",
                 "process_memory_usage_bytes", "zerospan_processes"):
        wait_for(lambda name=name: zerospan.metrics().own(name) > 0, f"{name} above 0")
    check(metrics.select("zerospan_lost_total"), "no zerospan_lost_total")
    equal(metrics.lost(), {}, "losses")
    # three complete checkouts, one refused by the inventory, one refused at once
    wait_for(lambda: zerospan.metrics().sum("zerospan_spans_total") == 3 * 7 + 6 + 1, "28 spans")
    zerospan.stop()


def test_metrics_http(t):
    """Only GET and HEAD of /metrics; its content type is the text format's."""
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid)
    with urllib.request.urlopen(zerospan.metrics_url, timeout=3 * lib.SLOWNESS) as answer:
        check(answer.headers["Content-Type"].startswith("text/plain"), answer.headers["Content-Type"])
    for method, path, status in (("GET", "/nothing-here", 404), ("POST", "/metrics", 405)):
        request = urllib.request.Request(zerospan.metrics_url.replace("/metrics", path),
                                         method=method, data=b"" if method == "POST" else None)
        try:
            urllib.request.urlopen(request, timeout=3 * lib.SLOWNESS)
            raise lib.Failure(f"{method} {path} is answered with success")
        except urllib.error.HTTPError as error:
            equal(error.code, status, f"{method} {path}")
    equal(zerospan.stop(), 0, "exit status")


def test_default_listener(t):
    """Without --listen it is 127.0.0.1:9464, on no other address."""
    if lib.listens(9464):
        raise lib.Skip("somebody else listens on port 9464")
    shop = Shop(t)
    zerospan = observer.start(t, "run", "--format", "none", "--pid", shop.pid)
    zerospan.wait_ready()
    equal(zerospan.metrics_url, "http://127.0.0.1:9464/metrics", "address")
    zerospan.metrics()
    zerospan.stop()


# --- OTLP


def test_otlp_trace_arrives(t):
    """The complete checkout, the same over protobuf as on stdout."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--listen", "127.0.0.1:0",
                              "--pid", shop.pid, env=receiver.environment)
    zerospan.wait_ready()
    check(receiver.url + "/v1/traces" in zerospan.err, "the start does not name the backend")
    state = ("tracestate", "vendor=1")
    parent = ("traceparent", f"00-{'ab' * 16}-{'cd' * 8}-01")
    shop.client().post_json("/checkout", order(), [parent, state])
    wait_for(lambda: len(receiver.spans()) >= 7, "seven spans at the receiver")
    equal(zerospan.stop(), 0, "exit status")
    spans = expect_shape(receiver.spans(), COMPLETE)
    expect_times(spans)
    equal(spans[0].trace_id, "ab" * 16, "trace id")
    equal(spans[0].parent_id, "cd" * 8, "parent")
    equal(spans[0].trace_state, "vendor=1", "trace state")
    written = {s.span_id: s for s in zerospan.spans()}
    equal(set(written), {s.span_id for s in spans}, "span ids on stdout and at the receiver")
    for span in spans:
        for field, value in vars(span).items():
            equal(value, getattr(written[span.span_id], field), f"{field} of {span}")
    path, headers = receiver.requests[0]
    equal(path, "/v1/traces", "path of the request")
    equal(headers["Content-Type"], "application/x-protobuf", "content type")
    check("zerospan" in headers.get("User-Agent", "").lower(), f"user agent {headers}")


def test_otlp_headers_and_gzip(t):
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env={
        **receiver.environment,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=e2e,Content-type=text/plain,authorization=a%20b,HOST=x,user-agent=y,"
                                      "content-encoding=br,content-length=1,te=gzip,accept-encoding=gzip",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
    shop.client().get("/")
    wait_for(receiver.spans, "the span")
    _, headers = receiver.requests[0]
    equal((headers.get("x-tenant"), headers.get("authorization")), ("e2e", "a b"), "headers")
    equal(headers.get("Content-Encoding"), "gzip", "encoding")
    names = [name.lower() for name, _ in receiver.fields[0]]
    equal(sorted(names), sorted(set(names)), "header fields, each of which stands once")
    check("te" not in names, f"a field of the connection is sent on: {names}")
    check("accept-encoding" not in names, f"answers are asked for that cannot be read: {names}")
    equal(headers["Host"], f"127.0.0.1:{receiver.port}", "host")
    equal(headers["Content-Type"], "application/x-protobuf", "content type")
    check(headers["User-Agent"].startswith("zerospan/"), f"user agent {headers['User-Agent']}")
    equal(zerospan.err.count('"Content-type", "HOST", "user-agent", "content-encoding", "content-length", "te", '
                             '"accept-encoding"'), 1, "warnings of the fields that are left out")
    zerospan.stop()


def test_otlp_end_right_after_the_request(t):
    """What was seen before Ctrl-C is delivered."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment)
    shop.client().post_json("/checkout", order())
    equal(zerospan.stop(), 0, "exit status")
    expect_shape(receiver.spans(), COMPLETE)


def one_request(t, *args, **environment):
    """zerospan with this in its environment, after one request to the shop it observes."""
    shop = Shop(t)
    zerospan = observer.start(t, "run", "--pid", shop.pid, "--listen", "127.0.0.1:0", *args, env=environment)
    zerospan.wait_ready()
    shop.client().get("/")
    return zerospan


def test_otlp_unknown_protocol(t):
    """It is as if the variable were not set, and said once."""
    for protocol in ("carrier-pigeon", "http/json"):
        receiver = Receiver(t)
        zerospan = one_request(t, **receiver.environment, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
        wait_for(receiver.spans, "the span, by the default protocol")
        equal(zerospan.stop(), 0, "exit status")
        equal(zerospan.err.count(f"OTEL_EXPORTER_OTLP_PROTOCOL='{protocol}' is ignored: expected http/protobuf or grpc"), 1,
              f"warnings in {zerospan.err}")


def test_otlp_endpoint_that_is_none(t):
    """No destination is left: said once, and spans are printed."""
    zerospan = one_request(t, OTEL_EXPORTER_OTLP_ENDPOINT="ftp://127.0.0.1/")
    wait_for(lambda: "GET /" in zerospan.out, "the tree on the terminal")
    equal(zerospan.stop(), 0, "exit status")
    equal(zerospan.err.count("no traces, metrics, logs go out over OTLP: OTEL_EXPORTER_OTLP_ENDPOINT: no URL"), 1,
          f"complaints in {zerospan.err}")


def test_otlp_one_that_is_none_of_several(t):
    """What the others go to is served: of endpoints and of headers."""
    for name, value, why in (("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318", "no URL"),
                             ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization", "entry 1 is not name=value")):
        receiver = Receiver(t)
        zerospan = one_request(t, **receiver.environment, OTEL_METRIC_EXPORT_INTERVAL="500", **{name: value})
        wait_for(lambda: "GET /" in zerospan.out, "the tree on the terminal")
        wait_for(lambda: receiver.metric_bodies and receiver.log_bodies, "metrics and log lines at the receiver")
        equal(zerospan.stop(), 0, "exit status")
        equal(receiver.bodies, [], "traces")
        equal(zerospan.err.count(f"no traces go out over OTLP: {name}: {why}"), 1, f"complaints in {zerospan.err}")


def test_otlp_bad_command_line(t):
    """An endpoint there that cannot be meant is refused at the start, the second one, too."""
    shop = Shop(t)
    for before in ((), ("--otlp-endpoint", "http://127.0.0.1:1")):
        zerospan = observer.start(t, "run", "--pid", shop.pid, "--listen", "127.0.0.1:0", *before, "--otlp-endpoint",
                                  "ftp://127.0.0.1/")
        equal(zerospan.wait(10), 2, "exit status")
        check("--otlp-endpoint: no URL" in zerospan.err, f"the message does not name the option: {zerospan.err}")


def test_log_level(t):
    """OTEL_LOG_LEVEL says how much zerospan says of itself, unless an option does; but that it observes, and where, at each level."""
    def say(level, *args):
        done = t.run(lib.built("zerospan"), "run", "--listen", "127.0.0.1:0", *args, "--", "/bin/true",
                     env={"OTEL_LOG_LEVEL": level})
        equal(done.status, 0, f"exit status with {level}")
        kinds = ["debug" if "zerospan: debug: " in line else "warning" if "zerospan: warning: " in line else "info"
                 for line in done.err.splitlines()]
        return kinds, [line.split()[1] for line in done.err.splitlines()]

    def lines(level, *args):
        return say(level, *args)[0]

    equal(set(lines("info")), {"info"}, "kinds of lines")
    for level in ("error", "warn"):
        equal(say(level)[1], ["observing", "metrics"], f"what is said with {level}: what scripts wait for")
    equal(set(lines("Debug")), {"debug", "info"}, "kinds of lines")
    equal(lines("loud").count("warning"), 1, "warnings of an unknown level")
    equal(lines("debug", "-q"), [], "kinds of lines with -q")
    equal(set(lines("error", "-v")), {"debug", "info"}, "kinds of lines with -v")


def says_undelivered(zerospan):
    """Whether a line on stderr tells how many spans did not arrive."""
    return re.search(r"\d+ spans did not arrive", zerospan.err)


def with_bad_backend(t, environment, counters=()):
    """The shop is served as ever, /metrics answers at once, the end comes in time, and what was not
    delivered is counted and told."""
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=environment)
    client = shop.client()
    slowest = 0.0
    for _ in range(40):
        answer = client.post_json("/checkout", order())
        equal(answer.status, 200, "checkout")
        begin = time.monotonic()
        zerospan.metrics_text()
        slowest = max(slowest, time.monotonic() - begin)
    check(slowest < 2 * lib.SLOWNESS, f"/metrics took {slowest:.2f} s while the backend was ill")
    wait_for(lambda: zerospan.metrics().sum(DURATION + "_count", http_route="/checkout") == 40,
             "all checkouts in the metrics")
    if counters:
        wait_for(lambda: sum(exported(zerospan, outcome) for outcome in counters) > 0,
                 f"spans counted as {counters}", 20)
    equal(exported(zerospan, "delivered"), 0, "spans delivered")
    begin = time.monotonic()
    equal(zerospan.stop(), 0, "exit status")
    seconds = time.monotonic() - begin
    t.note(f"slowest scrape {slowest * 1000:.0f} ms, end after {seconds:.1f} s")
    check(seconds < FLUSH_S, f"zerospan took {seconds:.1f} s to end")
    check(says_undelivered(zerospan), "280 spans were thrown away at the end and stderr does not say so")


def test_backend_down(t):
    with_bad_backend(t, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{lib.free_port()}"})


def test_backend_hangs(t):
    receiver = Receiver(t, "hang")
    with_bad_backend(t, receiver.environment)
    check(receiver.requests, "nothing was sent")


def test_backend_hangs_and_times_out(t):
    receiver = Receiver(t, "hang")
    with_bad_backend(t, {**receiver.environment, "OTEL_EXPORTER_OTLP_TIMEOUT": "500"})
    check(receiver.requests, "nothing was sent")


def test_backend_answers_503(t):
    receiver = Receiver(t, 503)
    with_bad_backend(t, receiver.environment)
    check(receiver.requests, "nothing was sent")


def test_backend_answers_400(t):
    """Never to be repeated: these spans have failed."""
    receiver = Receiver(t, 400)
    with_bad_backend(t, receiver.environment, ("failed",))


def test_backend_of_no_route(t):
    """An address that swallows packets."""
    with_bad_backend(t, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.1:4318"})


@lib.deadline(90)
def test_backend_recovers(t):
    """503 for a while: the spans are kept and come once."""
    receiver = Receiver(t, 503)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment)
    shop.client().post_json("/checkout", order())
    wait_for(lambda: receiver.requests, "the first attempt")
    receiver.mode = "ok"
    wait_for(receiver.spans, "the spans of before", 30)
    expect_shape(receiver.spans(), COMPLETE)
    wait_for(lambda: exported(zerospan, "delivered") == 7, "seven spans counted as delivered")
    equal((exported(zerospan, "failed"), exported(zerospan, "dropped")), (0, 0), "failed, dropped")
    zerospan.stop()


def test_partial_success(t):
    """The backend says that one span was rejected: it counts as failed, nothing is repeated."""
    receiver = Receiver(t, "partial")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment)
    shop.client().post_json("/checkout", order())
    wait_for(lambda: exported(zerospan, "delivered") + exported(zerospan, "failed") == 7,
             "all seven spans counted")
    equal((exported(zerospan, "delivered"), exported(zerospan, "failed")), (6, 1),
          "delivered, failed")
    equal(causes(zerospan), {"rejected": 1}, "why")
    equal(len(receiver.bodies), 1, "requests")
    zerospan.stop()


@lib.deadline(90)
def test_full_queue_drops_and_counts(t):
    """More spans than the queue holds while the backend hangs: memory stays, drops are counted."""
    receiver = Receiver(t, "hang")
    nginx = Nginx(t)
    zerospan = observer.observe_run(t, "--pid", nginx.pid, env=receiver.environment)
    done = Load(t, f"http://127.0.0.1:{nginx.port}/hello", seconds=3).finish()
    wait_for(lambda: zerospan.metrics().sum(DURATION + "_count") >= done, "all requests", 20)
    wait_for(lambda: exported(zerospan, "dropped") > 0, "drops", 5)
    lib.wait_stable(lambda: zerospan.metrics().sum("zerospan_traces_total"), "the traces")
    metrics = zerospan.metrics()
    dropped = exported(zerospan, "dropped")
    queue = metrics.sum("otel_sdk_processor_span_queue_size")
    rss = metrics.own("process_memory_usage_bytes") / 1e6
    equal(metrics.lost(), {}, "events lost because of the backend")
    check(dropped + queue + 2048 >= metrics.sum(DURATION + "_count"),
          f"{dropped} dropped and {queue} queued of {metrics.sum(DURATION + '_count')}")
    check(rss < 120, f"{rss} MB resident")
    t.note(f"{done} requests, {dropped:.0f} spans dropped, {queue:.0f} queued, {rss:.0f} MB")
    begin = time.monotonic()
    equal(zerospan.stop(), 0, "exit status")
    check(time.monotonic() - begin < FLUSH_S, f"{time.monotonic() - begin:.1f} s to end")
