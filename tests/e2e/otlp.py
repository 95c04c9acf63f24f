# SPDX-License-Identifier: Apache-2.0
"""The other side of OTLP over HTTP/protobuf: a receiver that can misbehave, and a decoder of its own.

The decoder knows the wire format and the field numbers of opentelemetry-proto, nothing of zerospan.
"""
import gzip
import http.server
import socketserver
import struct
import threading

from lib import Failure, check
from observer import Span


class Receiver:
    """Listens on a free port and keeps what is posted. mode: ok, hang (read, never answer), an HTTP
    status, or one of REPLIES, which are 200. tls: a server's ssl.SSLContext."""

    REPLIES = {
        "ok": b"",
        "partial": b"\x0a\x02\x08\x01",  # one was rejected
        "rejects": b"\x0a\x08\x08\xff\xff\xff\x7f\x12\x01n",  # 2^28 - 1 of them, "n"
        "garbage": b"<html>please log in</html>",
    }

    def __init__(self, test, mode="ok", port=0, tls=None):
        self.mode = mode
        self.scheme = "https" if tls else "http"
        self.requests, self.bodies = [], []  # of traces; a request is (path, headers)
        self.fields = []  # (name, value) of each header line of those, as often as they stand there
        self.metric_bodies, self.log_bodies = [], []  # decoded by otlp_metrics, otlp_logs
        self.released = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.answer(self)

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        test.cleanup(self.close)

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def environment(self):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url}

    def answer(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        signal = handler.path.rsplit("/", 1)[1]
        bodies = {"metrics": self.metric_bodies, "logs": self.log_bodies}.get(signal, self.bodies)
        if bodies is self.bodies:
            self.requests.append((handler.path, dict(handler.headers)))
            self.fields.append(handler.headers.items())
        if self.mode == "hang":
            self.released.wait(60)
            handler.close_connection = True
            return
        if isinstance(self.mode, int):
            handler.send_response(self.mode)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if handler.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        bodies.append(body)
        reply = self.REPLIES[self.mode]
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", str(len(reply)))
        handler.end_headers()
        handler.wfile.write(reply)

    def spans(self):
        return [span for body in list(self.bodies) for span in decode_request(body)]

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


# --- the wire format (protobuf.dev/programming-guides/encoding)


def varint(data, at):
    value = shift = 0
    while True:
        check(at < len(data) and shift < 70, "protobuf: a varint runs over the end")
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & (1 << 64) - 1, at


def fields(data):
    """(number, value) of a message: int, or bytes of length-delimited ones."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        elif kind == 2:
            size, at = varint(data, at)
            check(at + size <= len(data), "protobuf: a field runs over the end")
            value, at = data[at:at + size], at + size
        else:
            raise Failure(f"protobuf: wire type {kind} of field {number}")
        yield number, value


def message(data):
    """Fields by number, each a list."""
    result = {}
    for number, value in fields(data):
        result.setdefault(number, []).append(value)
    return result


def first(found, number, default=b""):
    return found.get(number, [default])[0]


def any_value(data):
    (number, value), = fields(data)
    if number == 1:
        return value.decode()
    if number == 2:
        return bool(value)
    if number == 3:
        return value - (1 << 64) if value >= 1 << 63 else value
    if number == 4:
        return struct.unpack("<d", struct.pack("<Q", value))[0]
    raise Failure(f"AnyValue with field {number}")


def key_values(items):
    result = {}
    for item in items:
        pair = message(item)
        key = first(pair, 1).decode()
        check(key not in result, f"attribute {key} stands twice")
        result[key] = any_value(first(pair, 2))
    return result


def decode_span(data, resource):
    found = message(data)
    span = Span.__new__(Span)
    span.trace_id, span.span_id = first(found, 1).hex(), first(found, 2).hex()
    span.trace_state, span.parent_id = first(found, 3).decode(), first(found, 4).hex()
    span.name = first(found, 5).decode()
    span.kind = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT"}[first(found, 6, 0)]
    span.start, span.end = first(found, 7, 0), first(found, 8, 0)
    span.attrs = key_values(found.get(9, []))
    span.status = {0: "UNSET", 1: "OK", 2: "ERROR"}[first(message(first(found, 15)), 3, 0)]
    span.flags = first(found, 16, 0)
    span.resource = resource
    check(len(span.trace_id) == 32 and len(span.span_id) == 16, f"ids of {span}")
    return span


def decode_request(body):
    """All spans of an ExportTraceServiceRequest."""
    spans = []
    for group in map(message, message(body).get(1, [])):
        resource = key_values(message(first(group, 1)).get(1, []))
        for scope in map(message, group.get(2, [])):
            spans += [decode_span(data, resource) for data in scope.get(2, [])]
    return spans


# --- what zerospan says of it

# What a span's way ended with, as a metric and whether it has an error_type.
OUTCOMES = {"delivered": ("otel_sdk_exporter_span_exported_total", False),
            "failed": ("otel_sdk_exporter_span_exported_total", True),
            "dropped": ("otel_sdk_processor_span_processed_total", True)}


def causes(zerospan, outcome="failed"):
    """Spans by why they did not arrive (None: they did), as the exporter to OTLP or its queue counts them."""
    name, wrong = OUTCOMES[outcome]
    found = {}
    for labels, value in zerospan.metrics().select(name):
        if value and ("error_type" in labels) == wrong:
            error = labels.get("error_type")
            found[error] = found.get(error, 0) + value
    return found


def exported(zerospan, outcome):
    """Spans by outcome."""
    return sum(causes(zerospan, outcome).values())
