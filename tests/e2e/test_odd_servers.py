# SPDX-License-Identifier: Apache-2.0
"""Servers that read, write and hand connections around in every way there is, and some that speak
no HTTP: each request is one span, and nothing is invented."""
import os
import socket
import struct
import time

import lib
import observer
from http_raw import Client, request_bytes
from lib import check, equal, wait_for

SLACK_S = 0.25 * lib.SLOWNESS


class Odd:
    def __init__(self, t, mode, where=""):
        self.process = t.start(lib.PYTHON, os.path.join(lib.HERE, "odd_server.py"), mode,
                               *([where] if where else []))
        self.where = where
        self.address = wait_for(lambda: self.process.out.split("\n")[0], lambda:
                                f"the server: {self.process.err}")
        self.pid = self.process.pid

    def client(self):
        if self.where == "ipv6":
            return Client(int(self.address), "::1")
        return Client(self.address if self.where else int(self.address))


def http(t, mode, paths=("/one", "/two", "/three"), where="", old=True):
    """Ask for the paths on one connection (from before zerospan when old) and on a new one; the
    spans, which must be one per request, in order, complete."""
    server = Odd(t, mode, where)
    client = server.client() if old else None
    if old:
        equal(client.get("/before").status, 200, "answer before zerospan")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = client or server.client()
    answers = []
    for user in (client, server.client()):
        for path in paths:
            answer = user.request("POST", path, (), b"request body " * 20)
            equal(answer.status, 200, f"answer to {path}")
            expected = int(path.split("/")[2]) if path.startswith("/bytes/") else len(path)
            equal(len(answer.body), expected, f"length of the answer to {path}")
            answers.append(answer)
        user.close()
    zerospan.wait_spans(len(answers))
    spans = expect_requests(zerospan, [("POST", path, 200) for path in paths] * 2)
    for span, answer in zip(spans, answers):
        check(span.seconds <= answer.seconds + SLACK_S,
              f"{span} lasts longer than the client's {answer.seconds:.3f} s")
    return spans


def expect_requests(zerospan, requests):
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    equal([(s.get("http.request.method"), s.get("url.path"), s.get("http.response.status_code"))
           for s in spans], requests, "requests seen")
    for span in spans:
        equal((span.kind, span.status), ("SERVER", "UNSET"), f"kind and status of {span}")
        equal(span.get("zerospan.capture"), None, f"capture of {span}")
    summary = zerospan.summary()
    equal(summary.lost, 0, "losses")
    equal(summary.coverage_pct, 100, "HTTP bytes seen, %")
    return spans


def test_fork(t):
    http(t, "fork")


def test_passed_descriptor(t):
    http(t, "pass")


def test_duplicated_descriptor(t):
    http(t, "dup")


def test_read_write(t):
    http(t, "read")
    http(t, "write")


def test_readv(t):
    http(t, "readv")


def test_writev(t):
    http(t, "writev", ["/one", "/bytes/100000"])


def test_many_pieces(t):
    """writev with more pieces than are captured: the head lies in the first ones or it does not."""
    server = Odd(t, "pieces")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    for path in ("/one", "/bytes/5000", "/two"):
        equal(client.get(path).status, 200, "answer")
    client.close()
    zerospan.wait_spans(3)
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    equal([s.get("url.path") for s in spans], ["/one", "/bytes/5000", "/two"], "requests")
    for span in spans:
        check(span.get("http.response.status_code") in (200, None), f"status of {span}")
        check(span.get("http.response.status_code") == 200 or
              span.get("zerospan.capture") == "partial", f"{span} is not marked as partial")
    equal(zerospan.summary().coverage_pct, 100, "HTTP bytes seen, %")


def test_recvmsg(t):
    http(t, "recvmsg")
    http(t, "recvmsg_into")


def test_sendmsg(t):
    http(t, "sendmsg", ["/one", "/bytes/100000"])


def test_peek(t):
    """MSG_PEEK moves nothing: the request counts once."""
    http(t, "peek")


def test_sendfile(t):
    http(t, "sendfile", ["/bytes/2000000", "/after", "/bytes/1"])


def test_splice(t):
    http(t, "splice", ["/bytes/300000", "/after"])


def test_answer_from_untouched_memory(t):
    http(t, "mapping", ["/one", "/bytes/50000"])


def test_answer_in_two_writes(t):
    http(t, "two", ["/one", "/bytes/1000000"])


def test_answer_byte_by_byte(t):
    http(t, "bytes", ["/one", "/bytes/500"], old=False)


def test_answer_byte_by_byte_on_an_old_connection(t):
    http(t, "bytes", ["/one", "/bytes/500"])


def test_request_read_in_sixteens(t):
    http(t, "read16", old=False)


def test_request_read_in_sixteens_on_an_old_connection(t):
    """No single read holds a whole request line."""
    http(t, "read16")


def test_request_written_byte_by_byte(t):
    server = Odd(t, "plain")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    for path in ("/one", "/two"):
        for byte in request_bytes("POST", path, [("X", "y")], b"body"):
            client.send(bytes((byte,)))
        equal(client.read_response().status, 200, "answer")
    zerospan.wait_spans(2)
    expect_requests(zerospan, [("POST", "/one", 200), ("POST", "/two", 200)])


def pipelined(t, mode):
    server = Odd(t, mode)
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    paths = ["/one", "/two", "/three"]
    client.send(b"".join(request_bytes("POST", path, (), b"x" * 50) for path in paths))
    for path in paths:
        equal(client.read_response().body.decode(), path, "answer")
    zerospan.wait_spans(3)
    spans = zerospan.finish()
    equal([(s.get("url.path"), s.get("http.response.status_code")) for s in spans],
          [(path, 200) for path in paths], "requests in one write")


def test_pipelined(t):
    pipelined(t, "plain")


def test_pipelined_answers_in_one_write(t):
    pipelined(t, "batch")


def test_ipv6(t):
    for span in http(t, "plain", where="ipv6"):
        equal(span.get("network.peer.address"), "::1", "peer")
        equal(span.get("client.address"), "::1", "client")
        equal(span.get("server.address"), "::1", "server")


def test_unix_socket(t):
    for span in http(t, "plain", where=t.path("odd.socket")):
        equal(span.get("network.transport"), "unix", "transport")
        equal(span.get("network.peer.port"), None, "a Unix socket's port")


def test_unix_socket_descriptors(t):
    http(t, "fork", where=t.path("fork.socket"))
    http(t, "sendfile", ["/bytes/200000", "/after"], where=t.path("sendfile.socket"))


def test_long_head(t):
    """What matters stands behind 12 KiB of other fields."""
    server = Odd(t, "plain")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    trace = "12" * 16
    padding = [(f"X-Padding-{n}", "p" * 400) for n in range(30)]
    client.get("/long", padding + [("traceparent", f"00-{trace}-{'34' * 8}-01"), ("Z", "end")])
    zerospan.wait_spans(1)
    span, = expect_requests(zerospan, [("GET", "/long", 200)])
    equal(span.trace_id, trace, "trace id")


def test_head_beyond_the_limit(t):
    """30 KiB of head: the request is seen or counted as missed, and the next one is whole again."""
    server = Odd(t, "plain")
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--listen", "127.0.0.1:0",
                              "--pid", server.pid)
    zerospan.wait_ready()
    client = server.client()
    padding = [(f"X-Padding-{n}", "p" * 400) for n in range(75)]
    equal(client.get("/huge", padding).status, 200, "answer")
    equal(client.get("/next").status, 200, "answer")
    zerospan.wait_spans(1, url__path="/next")
    wait_for(lambda: zerospan.metrics().sum("zerospan_records_total") >= 4, "the counters")
    metrics = zerospan.metrics()
    counted = metrics.sum("zerospan_sync_losses_total") + sum(metrics.lost().values())
    paths = [s.get("url.path") for s in zerospan.finish()]
    t.note(f"spans: {paths}, {counted:.0f} losses counted")
    check(paths == ["/huge", "/next"] or (paths == ["/next"] and counted > 0),
          f"spans {paths}, {counted} losses counted")


# --- how long


def streamed(t, mode):
    server = Odd(t, mode)
    zerospan = observer.observe(t, "--pid", server.pid)
    answer = server.client().get("/slow")
    equal(answer.body, b"/slow" * 6, "body")
    zerospan.wait_spans(1)
    span, = zerospan.finish()
    check(0.6 <= span.seconds <= answer.seconds + SLACK_S,
          f"{span}: the body took 0.6 s, the client measured {answer.seconds:.3f} s")
    equal((span.status, span.get("http.response.status_code")), ("UNSET", 200), "status")


def test_duration_of_chunked_body(t):
    streamed(t, "streamed")


def test_duration_of_body_until_close(t):
    streamed(t, "until_close")


def test_duration_of_slow_request(t):
    """The request is in service from its first byte on."""
    server = Odd(t, "plain")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    data = request_bytes("POST", "/upload", (), b"b" * 1000)
    for piece, pause_s in ((data[:10], 0.3), (data[10:60], 0.1), (data[60:500], 0.1), (data[500:], 0)):
        client.send(piece)
        time.sleep(pause_s)  # the client's pace
    equal(client.read_response().status, 200, "answer")
    zerospan.wait_spans(1)
    span, = zerospan.finish()
    check(0.35 <= span.seconds < 1.5, f"{span} should last about 0.5 s")


def test_idle_is_not_duration(t):
    """Time between two requests of a connection belongs to none."""
    server = Odd(t, "plain")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    time.sleep(0.3)  # idle
    client.get("/one")
    time.sleep(0.3)
    client.get("/two")
    zerospan.wait_spans(2)
    for span in expect_requests(zerospan, [("GET", "/one", 200), ("GET", "/two", 200)]):
        check(span.seconds < 0.2, f"{span} contains the pause before it")


# --- answers that are not simply one


def test_interim_answers(t):
    """100 and 103 are not the answer."""
    server = Odd(t, "continue")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    for path in ("/one", "/two"):
        client.send(request_bytes("POST", path, [("Expect", "100-continue")], b"body"))
        equal([client.read_response("HEAD").status for _ in range(2)], [100, 103], "interim")
        equal(client.read_response().status, 200, "answer")
    zerospan.wait_spans(2)
    expect_requests(zerospan, [("POST", "/one", 200), ("POST", "/two", 200)])


def test_upgrade(t):
    """After 101 the connection is something else, also if that looks like HTTP."""
    server = Odd(t, "upgrade")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    client.send(request_bytes("GET", "/chat", [("Connection", "Upgrade"), ("Upgrade", "odd")]))
    equal(client.read_response("HEAD").status, 101, "answer")
    for frame in (b"\x81\x05hello", b"GET /not-http HTTP/1.1\r\n\r\n", b"\x00" * 1000):
        client.send(frame)
        equal(client._exactly(len(frame)), frame, "echo")
    client.close()
    zerospan.wait_spans(1)
    spans = zerospan.finish()
    equal([(s.get("url.path"), s.get("http.response.status_code")) for s in spans],
          [("/chat", 101)], "spans")


def test_answer_cut_short(t):
    server = Odd(t, "cut")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    client.send(request_bytes("GET", "/bytes/1000"))
    try:
        client.read_response()
        raise lib.Failure("the answer was not cut")
    except lib.Failure as failure:
        check("early" in str(failure), str(failure))
    zerospan.wait_spans(1)
    span, = zerospan.finish()
    equal(span.status, "ERROR", "status")
    equal(span.get("http.response.status_code"), 200, "status code, which was sent")
    check(span.get("error.type") in ("incomplete_response", "connection_closed"),
          f"error.type {span.get('error.type')}")


def read_after(t, linger):
    """The client sends a second request and is gone before the server reads it; the span, if any."""
    server = Odd(t, "late")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    equal(client.get("/first").status, 200, "answer")
    client.send(request_bytes("GET", "/second"))
    if linger:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    wait_for(lambda: "closed" in server.process.out, "the server to be done")
    span, = zerospan.wait_spans(1, url__path="/second", seconds=5)  # not only when zerospan ends
    zerospan.finish()
    t.note(f"status {span.get('http.response.status_code')}, error.type {span.get('error.type')}, "
           f"capture {span.get('zerospan.capture')}")
    return span, zerospan


def test_request_read_after_the_client_closed(t):
    """An orderly close: the server answers into nothing, and that is what is seen."""
    span, zerospan = read_after(t, linger=False)
    equal((span.get("http.response.status_code"), span.get("error.type")), (200, None),
          "status and error")
    equal(zerospan.summary().coverage_pct, 100, "HTTP bytes seen, %")


def test_request_read_after_a_reset(t):
    """The answer cannot be sent: the request, if it was read, has failed."""
    span, _ = read_after(t, linger=True)
    equal(span.get("http.response.status_code"), None, "status of an answer that never left")
    equal(span.status, "ERROR", "status")
    check(span.get("error.type") in ("connection_reset", "connection_closed"), "error.type")


def test_request_and_half_close(t):
    """`printf 'GET …' | nc`: the client says at once that it will send no more."""
    server = Odd(t, "late")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    equal(client.get("/first").status, 200, "answer")
    client.send(request_bytes("GET", "/second"))
    client.socket.shutdown(socket.SHUT_WR)
    equal(client.read_response().body, b"/second", "answer")
    wait_for(lambda: "closed" in server.process.out, "the server to be done")
    zerospan.wait_spans(2)
    expect_requests(zerospan, [("GET", "/first", 200), ("GET", "/second", 200)])


# --- no HTTP


def opaque(t, mode, messages):
    """Exchange messages; nothing is made of them, and they are counted."""
    server = Odd(t, mode)
    old = server.client()
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--listen", "127.0.0.1:0",
                              "--pid", server.pid)
    zerospan.wait_ready()
    new = server.client()
    for client in (old, new):
        if mode == "lines":
            client._until(b"ready\r\n")
        for message in messages:
            client.send(message)
            if mode == "lines":
                client._until(b"250 hello\r\n")
            else:
                equal(client._exactly(len(message)), message, "echo")
        client.close()
    expected = 2 * 2 * len(messages)
    wait_for(lambda: zerospan.metrics().sum("zerospan_records_total") > 0 or
             zerospan.metrics().sum("zerospan_opaque_messages_total") > 0, "the messages to be counted")
    lib.wait_stable(lambda: zerospan.metrics().sum("zerospan_opaque_messages_total"), "the count")
    metrics = zerospan.metrics()
    count = metrics.sum("zerospan_opaque_messages_total")
    captured = metrics.sum("zerospan_captured_bytes_total")
    equal(metrics.sum("http_server_request_duration_seconds_count"), 0, "requests in the metrics")
    equal(metrics.sum("zerospan_requests_open"), 0, "open requests")
    equal(zerospan.finish(), [], "spans of a conversation that is no HTTP")
    t.note(f"{expected} messages, {count:.0f} counted as opaque, {captured:.0f} bytes captured")
    return count, captured, expected


def test_binary_protocol(t):
    messages = [bytes([0, 0, 0, n % 256]) + os.urandom(n) for n in range(1, 400, 2)]
    for message in messages:
        check(not message[:1].isalpha(), "the test's messages start like no token")
    count, captured, expected = opaque(t, "echo", messages)
    check(count >= expected, f"{count} of {expected} messages are counted as opaque")
    equal(captured, 0, "bytes captured")


def test_tls(t):
    """A handshake, then records: their bodies are never copied."""
    hello = b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03" + os.urandom(240)
    record = b"\x17\x03\x03\x01\x00" + os.urandom(256)
    count, captured, expected = opaque(t, "echo", [hello] + [record] * 50)
    check(count >= expected, f"{count} of {expected} messages are counted as opaque")
    equal(captured, 0, "bytes captured")


def test_http2_preface(t):
    """HTTP/2 is not spoken yet: no span may come of its preface."""
    opaque(t, "echo", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"] + [os.urandom(40)] * 5)


def test_text_protocols(t):
    """Lines that begin like HTTP but are none."""
    opaque(t, "lines", [b"EHLO host.example\r\n", b"MAIL FROM:<a@b>\r\n", b"GET /key\r\n",
                        b"HTTP is not spoken here\r\n", b"RSET\r\n", b"GET / HTTP/9.9\r\n"])


def test_opaque_then_http(t):
    """A connection that opens with something else (a proxy's line) and then speaks HTTP."""
    server = Odd(t, "echo")
    zerospan = observer.observe(t, "--pid", server.pid)
    client = server.client()
    client.send(b"\x00\x01\x02hello")
    client._exactly(8)
    client.close()
    zerospan.stop()
    equal(zerospan.spans(), [], "spans")
