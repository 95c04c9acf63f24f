# SPDX-License-Identifier: Apache-2.0
"""OTLP as servers see it, traces, metrics and log lines; over gRPC to servers that nobody here wrote: gRPC's C core, and HTTP/2 by python3-h2 with rare tricks; several
destinations at once."""
import json
import os
import subprocess

import lib
import observer
import otlp_metrics
from lib import check, equal, wait_for
from otlp import Receiver, any_value, causes, decode_request, exported, first, key_values, message
from shop import COMPLETE, Shop, expect_shape, order

RUNS_TOGETHER = True

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class GrpcReceiver:
    """A server of its own process that prints the calls it gets."""

    def __init__(self, t, module, script, *args):
        here = os.path.dirname(os.path.abspath(__file__))
        lib.python_module(module, f"python3-{module}")
        self.process = t.start(lib.PYTHON, os.path.join(here, script), *args)
        wait_for(lambda: self.process.out.count("\n") >= 1, "the server's port", 20)
        self.port = int(self.process.out.split("\n", 1)[0])

    def lines(self):
        return [json.loads(line) for line in self.process.out.split("\n")[1:-1]]

    def calls(self):
        return [line for line in self.lines() if "path" in line]

    def gone(self):
        """Calls that their client ended before there was an answer."""
        return sum("gone" in line for line in self.lines())

    def environment(self, scheme="http", host="127.0.0.1", **more):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://{host}:{self.port}", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", **more}


def metadata(call):
    return dict(call["metadata"])


def fates(zerospan):
    """Spans that were delivered and those that failed."""
    return exported(zerospan, "delivered"), exported(zerospan, "failed")


def with_core(t, answers, *tls):
    return GrpcReceiver(t, "grpc", "grpc_server.py", answers, *tls)


def one_span(t, receiver, delivered, why=None, **environment):
    """One request to the shop under observation: its span is delivered, or fails for this cause."""
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment(**environment))
    shop.client().get("/")
    wait_for(lambda: sum(fates(zerospan)) == 1, "the span's fate", 20)
    equal(fates(zerospan), (delivered, 1 - delivered), "delivered, failed")
    equal(causes(zerospan), {why: 1} if why else {}, "causes")
    zerospan.stop()
    return zerospan


# --- gRPC's C core


def test_grpc_trace_arrives(t):
    receiver = with_core(t, "ok")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment(
        OTEL_EXPORTER_OTLP_HEADERS="X-Tenant=e2e,content-type=text/plain,te=x,grpc-timeout=1n,accept-encoding=gzip,authorization=a%20b",
        OTEL_EXPORTER_OTLP_TIMEOUT="70000"))
    shop.client().post_json("/checkout", order())
    wait_for(lambda: exported(zerospan, "delivered") == 7, "seven spans delivered")
    equal(zerospan.stop(), 0, "exit status")
    spans = [span for call in receiver.calls() for span in decode_request(bytes.fromhex(call["body"]))]
    expect_shape(spans, COMPLETE)
    call = receiver.calls()[0]
    equal(call["path"], TRACES, "path")
    sent = metadata(call)
    equal((sent["x-tenant"], sent["authorization"]), ("e2e", "a b"), "metadata of the user")
    check("accept-encoding" not in sent, f"answers that are compressed as a whole are asked for: {sent}")
    check(sent["user-agent"].startswith("zerospan/"), f"user agent {sent['user-agent']}")
    check(50 < call["deadline"] <= 70, f"the server sees a deadline of {call['deadline']} s")


def test_grpc_batch_after_batch(t):
    receiver = with_core(t, "ok")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment())
    for n in range(1, 4):
        shop.client().get("/")
        wait_for(lambda n=n: exported(zerospan, "delivered") == n, f"span {n} delivered")
    zerospan.stop()
    equal(len(receiver.calls()), 3, "calls")


def test_grpc_gzip(t):
    receiver = with_core(t, "ok")
    one_span(t, receiver, 1, OTEL_EXPORTER_OTLP_COMPRESSION="gzip")
    equal(len(decode_request(bytes.fromhex(receiver.calls()[0]["body"]))), 1, "spans in the request")


def test_grpc_partial_success(t):
    zerospan = one_span(t, with_core(t, "partial"), 0, "rejected")
    check("the server rejected some: no" in zerospan.err, zerospan.err)


def test_grpc_retry_info(t):
    """Twice not now: the second and third attempts come when the server says."""
    receiver = with_core(t, "unavailable:1,resource_exhausted:1,ok")
    zerospan = one_span(t, receiver, 1)
    equal(len(receiver.calls()), 3, "calls")
    check("UNAVAILABLE (14): not now, \u00e4\u00f6%" in zerospan.err, zerospan.err)
    equal(len({call["body"] for call in receiver.calls()}), 1, "different bodies of one batch")


@lib.deadline(90)
def test_grpc_deadline(t):
    """A call that is not answered in time is ended, which the server sees, and tried again; so is one that the server found too late."""
    receiver, seconds = with_core(t, "hang,deadline_exceeded:1,ok"), 3 * lib.SLOWNESS
    zerospan = one_span(t, receiver, 1, OTEL_EXPORTER_OTLP_TIMEOUT=str(round(seconds * 1000)))
    calls = receiver.calls()
    equal(len(calls), 3, "calls")
    check(all(0 < call["deadline"] <= seconds for call in calls), f"deadlines {[call['deadline'] for call in calls]}")
    equal(len({call["body"] for call in calls}), 1, "different bodies of one batch")
    check("Timeout was reached" in zerospan.err, zerospan.err)
    wait_for(lambda: receiver.gone() == 1, "the server to see that nobody waits for its first answer")


def test_grpc_final_errors(t):
    receiver = with_core(t, "invalid_argument")
    zerospan = one_span(t, receiver, 0, "INVALID_ARGUMENT")
    equal(len(receiver.calls()), 1, "calls")
    check("INVALID_ARGUMENT (3)" in zerospan.err, zerospan.err)
    receiver = with_core(t, "resource_exhausted")
    one_span(t, receiver, 0, "RESOURCE_EXHAUSTED")
    equal(len(receiver.calls()), 1, "calls without RetryInfo")


def certificates(t):
    """Of an authority, a server at localhost and a client, each with its key: paths by name."""
    openssl = lib.tool("openssl", "openssl")

    def run(*args):
        subprocess.run([openssl, *args], check=True, capture_output=True, cwd=t.dir)

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key",
        "-out", "ca.pem")
    for name in ("localhost", "client"):
        with open(t.path(name + ".ext"), "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{name}\n")
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", name + ".key", "-out",
            name + ".csr")
        run("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", name + ".ext", "-out", name + ".pem")
    return t.path


@lib.deadline(90)
def test_grpc_tls_both_ways(t):
    """Both sides show certificates; without the client's, nothing arrives, and the reason is told."""
    path = certificates(t)
    receiver = with_core(t, "ok", path("localhost.pem"), path("localhost.key"), path("ca.pem"))
    known = {"scheme": "https", "host": "localhost", "OTEL_EXPORTER_OTLP_CERTIFICATE": path("ca.pem")}
    one_span(t, receiver, 1, **known, OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=path("client.pem"),
             OTEL_EXPORTER_OTLP_CLIENT_KEY=path("client.key"))
    equal(len(receiver.calls()), 1, "calls")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment(**known))
    shop.client().get("/")
    wait_for(lambda: "sending 1 spans to https://localhost:" in zerospan.err, "a word about the certificate", 20)
    zerospan.stop()
    equal(len(receiver.calls()), 1, "calls of somebody unknown")


def test_certificate_that_is_not_there(t):
    """Such a destination cannot be used: said once, and the others are served."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.start(t, "run", "--listen", "127.0.0.1:0", "--pid", shop.pid, env={
        **receiver.environment, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such/file"})
    zerospan.wait_ready()
    shop.client().get("/")
    wait_for(lambda: "GET /" in zerospan.out, "the tree on the terminal: there is no other destination")
    for signal in ("traces", "metrics", "logs"):
        equal(zerospan.err.count(f"no {signal} go to"), 1, f"complaints about {signal} in {zerospan.err}")
    equal(zerospan.stop(), 0, "exit status")
    equal(receiver.bodies, [], "requests")


def test_password_of_an_endpoint(t):
    """It is shown to the server, and to nobody else."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env={
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:s3cret@127.0.0.1:{receiver.port}"})
    shop.client().get("/")
    wait_for(lambda: exported(zerospan, "delivered") == 1, "the span")
    zerospan.stop()
    equal(receiver.requests[0][1]["Authorization"], "Basic dXNlcjpzM2NyZXQ=", "what the server is told")
    check(f"traces to {receiver.url}/v1/traces" in zerospan.err, f"the start does not name it: {zerospan.err}")
    check(b"s3cret" not in b"".join(receiver.log_bodies) + zerospan.err.encode(), f"the password is told: {zerospan.err}")


# --- what HTTP/2 allows


def with_trick(t, trick, delivered, why=None):
    receiver = GrpcReceiver(t, "h2", "h2_server.py", trick)
    zerospan = one_span(t, receiver, delivered, why)
    body = bytes.fromhex(receiver.calls()[-1]["body"])
    equal((body[0], int.from_bytes(body[1:5], "big")), (0, len(body) - 5), "flag and length before the message")
    equal(len(decode_request(body[5:])), 1, "spans in the request")
    return zerospan, receiver


def test_h2_request(t):
    """The headers of a call, in the order that gRPC wants."""
    _, receiver = with_trick(t, "trailers-only", 1)
    sent = [name for name, _ in receiver.calls()[0]["metadata"]]
    equal(sorted(sent[:4]), [":authority", ":method", ":path", ":scheme"], "what comes first")
    equal(sent[4:9], ["grpc-timeout", "te", "content-type", "grpc-accept-encoding", "user-agent"], "headers")
    check(set(sent[9:]) <= {"content-length"}, f"more headers: {sent[9:]}")
    equal(metadata(receiver.calls()[0])["te"], "trailers", "te")


def test_h2_split_frames(t):
    zerospan, _ = with_trick(t, "split", 0, "rejected")
    check("rejected some" in zerospan.err, zerospan.err)


def test_h2_trailers_only_refusal(t):
    zerospan, _ = with_trick(t, "trailers-only-refusal", 0, "INVALID_ARGUMENT")
    check("INVALID_ARGUMENT (3): bad things" in zerospan.err, zerospan.err)


def test_h2_no_status(t):
    zerospan, _ = with_trick(t, "no-status", 0, "UNKNOWN")
    check("UNKNOWN (2)" in zerospan.err, zerospan.err)


def test_h2_informational_head(t):
    with_trick(t, "informational", 1)


def test_h2_compressed_answer(t):
    zerospan, _ = with_trick(t, "compressed", 0, "rejected")
    check("rejected some" in zerospan.err, zerospan.err)


@lib.deadline(90)
def test_h2_small_window(t):
    """A request that is longer than the first window, the rest of which is let in 200 bytes at a time."""
    receiver = GrpcReceiver(t, "h2", "h2_server.py", "small-window")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment(
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="210", OTEL_BSP_SCHEDULE_DELAY="20000"))
    client = shop.client()
    for _ in range(60):
        client.post_json("/checkout", order())
    wait_for(lambda: exported(zerospan, "delivered") >= 210, "the spans to be delivered", 40)
    longest = max(len(call["body"]) // 2 for call in receiver.calls())
    check(longest > 100_000, f"the longest request has {longest} bytes")
    zerospan.stop()


def test_h2_ping(t):
    _, receiver = with_trick(t, "ping", 1)
    check(receiver.calls()[-1]["pinged"], "the PING was not answered before the request was complete")


def test_h2_go_away(t):
    _, receiver = with_trick(t, "go-away", 1)
    equal(len(receiver.calls()), 2, "calls")


def test_h2_refused_stream(t):
    _, receiver = with_trick(t, "refused-stream", 1)
    check(len(receiver.calls()) >= 2, "it was not tried again")


def test_h2_reset(t):
    zerospan, receiver = with_trick(t, "internal-error", 0, "INTERNAL")
    equal(len(receiver.calls()), 1, "calls")
    check("INTERNAL (13)" in zerospan.err, zerospan.err)


def test_h2_reset_without_an_error(t):
    """No error, but no answer either: gRPC takes it as INTERNAL."""
    zerospan, receiver = with_trick(t, "no-error", 0, "INTERNAL")
    equal(len(receiver.calls()), 1, "calls")
    check("INTERNAL (13)" in zerospan.err, zerospan.err)


# --- metrics and log lines


def expect_metrics(points, shop, requests):
    """The requests that were made, told of the shop; and zerospan's own, of itself."""
    durations = [p for p in points if p.name == "http.server.request.duration"]
    equal({p.resource["process.pid"] for p in durations}, {shop.pid}, "whose requests")
    latest = max(durations, key=lambda p: p.time)
    equal((latest.count, latest.attrs["http.route"]), (requests, "/"), "requests")
    own = [p for p in points if p.name == "zerospan.records"]
    check(own and own[-1].value > 0, "no word of records")
    equal({p.resource["service.name"] for p in own}, {"zerospan"}, "whose records")


def test_metrics_arrive(t):
    """Every interval, and once more at the end."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid,
                                    env={**receiver.environment, "OTEL_METRIC_EXPORT_INTERVAL": "1000"})
    client = shop.client()
    for _ in range(3):
        client.get("/")
    wait_for(lambda: len(receiver.metric_bodies) >= 3, "three exports")
    client.get("/")
    wait_for(lambda: exported(zerospan, "delivered") == 4, "all spans")
    zerospan.stop()
    expect_metrics([p for body in receiver.metric_bodies for p in otlp_metrics.decode_request(body)], shop, 4)


def test_metrics_as_changes(t):
    """Deltas add up to what was done; histograms in exponential form."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env={
        **receiver.environment, "OTEL_METRIC_EXPORT_INTERVAL": "700",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"})
    client = shop.client()
    for _ in range(6):
        client.get("/")
        seen = len(receiver.metric_bodies)
        wait_for(lambda seen=seen: len(receiver.metric_bodies) > seen, "the next export")
    wait_for(lambda: exported(zerospan, "delivered") == 6, "all spans")
    zerospan.stop()
    points = [p for body in receiver.metric_bodies for p in otlp_metrics.decode_request(body)]
    durations = [p for p in points if p.name == "http.server.request.duration"]
    equal({(p.kind, p.temporality) for p in durations}, {(otlp_metrics.EXPONENTIAL, otlp_metrics.DELTA)}, "form")
    equal(sum(p.count for p in durations), 6, "requests in all changes together")
    check(len(durations) > 1, "one change only")


def test_metrics_by_grpc(t):
    receiver = with_core(t, "ok")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment(
        OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="otlp", OTEL_METRIC_EXPORT_INTERVAL="1000"))
    shop.client().get("/")
    wait_for(lambda: len(receiver.calls()) >= 2, "two exports")
    zerospan.stop()
    calls = receiver.calls()
    equal({call["path"] for call in calls},
          {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"}, "paths")
    expect_metrics([p for call in calls for p in otlp_metrics.decode_request(bytes.fromhex(call["body"]))], shop, 1)


def log_lines(bodies):
    """(severity, body) of each record."""
    result = []
    for body in bodies:
        for group in map(message, message(body).get(1, [])):
            equal(key_values(message(first(group, 1)).get(1, []))["service.name"], "zerospan", "whose lines")
            for scope in map(message, group.get(2, [])):
                for record in map(message, scope.get(2, [])):
                    result.append((first(record, 3).decode(), any_value(first(record, 5))))
    return result


def test_own_lines_arrive(t):
    """What zerospan says on stderr is at the receiver, too, what it says at its end included."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment)
    zerospan.stop()
    lines = log_lines(receiver.log_bodies)
    check(("INFO", f"observing shop (pid {shop.pid}), traces to {receiver.url}/v1/traces") in lines, lines)
    for severity, text in lines:
        check(text in zerospan.err, f"{severity} {text} is not on stderr")


def test_own_lines_by_grpc(t):
    receiver = with_core(t, "ok")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, env=receiver.environment(
        OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="otlp"))
    zerospan.stop()
    calls = receiver.calls()
    equal({call["path"] for call in calls}, {"/opentelemetry.proto.collector.logs.v1.LogsService/Export"}, "paths")
    check(log_lines([bytes.fromhex(call["body"]) for call in calls]), "no lines")


def test_console(t):
    shop = Shop(t)
    zerospan = observer.start(t, "run", "--listen", "127.0.0.1:0", "--pid", shop.pid, env={
        "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console", "OTEL_LOGS_EXPORTER": "console",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000"})
    zerospan.wait_ready()
    shop.client().get("/")
    wait_for(lambda: "http_server_request_duration_seconds_count" in zerospan.out, "metrics on stdout")
    wait_for(lambda: "GET / " in zerospan.out, "a tree on stdout")
    wait_for(lambda: "INFO" in zerospan.out, "log lines on stdout")
    zerospan.stop()


# --- several


def test_two_destinations(t):
    """One hangs, the other gets everything at once; a flag beats the environment."""
    bad, good, unused = Receiver(t, "hang"), Receiver(t), Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid, "--otlp-endpoint", bad.url, "--otlp-endpoint", good.url,
                                    env=unused.environment)
    check(bad.url in zerospan.err and good.url in zerospan.err, f"the start names both: {zerospan.err}")
    shop.client().post_json("/checkout", order())
    wait_for(lambda: len(good.spans()) >= 7, "seven spans at the good one")
    expect_shape(good.spans(), COMPLETE)
    wait_for(lambda: bad.requests, "something to be sent to the other")
    zerospan.stop()
    equal(unused.requests, [], "requests where the environment says")
