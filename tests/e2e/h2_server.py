#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A receiver of OTLP over gRPC that does what the protocol allows and few servers do, by python3-h2.

    h2_server.py TRICK

TRICK applies to the first call, or to all: see TRICKS. Prints the port, then a line of JSON for each call: path, headers, body
in hex, and whether a PING was answered before.
"""
import gzip
import json
import socket
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events

INITIAL_WINDOW, SMALL_WINDOW = 65535, 200
REJECTED_ONE = b"\x0a\x02\x08\x01"
HEAD = [(":status", "200"), ("content-type", "application/grpc")]


def framed(message, flag=0):
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


class Call:
    def __init__(self, headers):
        self.headers = headers
        self.body = b""


class Connection:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.calls = {}
        self.pinged, self.complete = False, None
        self.left = {None: INITIAL_WINDOW}  # by stream; None: of the connection
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def serve(self):
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            for event in self.h2.receive_data(data):
                if not self.take(event):
                    return
            self.flush()

    def take(self, event):
        """False: the connection is to end."""
        if isinstance(event, h2.events.RequestReceived):
            self.calls[event.stream_id] = Call(event.headers)
        elif isinstance(event, h2.events.PingAckReceived):
            self.pinged = True
            return self.server.answer(self, self.complete)
        elif isinstance(event, h2.events.DataReceived):
            self.calls[event.stream_id].body += event.data
            self.open_window(event.stream_id, event.flow_controlled_length)
        elif isinstance(event, h2.events.StreamEnded):
            self.complete = event.stream_id
            if self.server.trick == "ping":
                self.h2.ping(b"zerospan")
            else:
                return self.server.answer(self, event.stream_id)
        return True

    def open_window(self, stream, n):
        """small-window: only once it is shut, and then a little. As long as the client has something to send, it is shut in
        the end."""
        if self.server.trick != "small-window":
            self.h2.acknowledge_received_data(n, stream)
            return
        self.left[stream] = self.left.get(stream, INITIAL_WINDOW) - n
        self.left[None] -= n
        for at in (stream, None):
            if self.left[at] < SMALL_WINDOW:
                self.h2.increment_flow_control_window(SMALL_WINDOW, at)
                self.left[at] += SMALL_WINDOW


class Server:
    def __init__(self, trick):
        self.trick = trick
        self.answered = 0

    def run(self):
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                Connection(self, sock).serve()
            except OSError:
                pass
            sock.close()

    def answer(self, connection, stream):
        call = connection.calls[stream]
        headers = dict(call.headers)
        print(json.dumps({"path": headers[":path"], "body": call.body.hex(), "pinged": connection.pinged,
                          "metadata": [list(pair) for pair in call.headers]}), flush=True)
        self.answered += 1
        trick = TRICKS[self.trick]
        goes_on = True
        if self.answered == 1 or self.trick in ALWAYS:
            goes_on = trick(connection, stream) is not False
        else:
            plain(connection, stream)
        connection.flush()
        return goes_on


def plain(connection, stream, body=framed(b""), head=HEAD, status="0"):
    connection.h2.send_headers(stream, head)
    connection.h2.send_data(stream, body)
    connection.h2.send_headers(stream, [("grpc-status", status)], end_stream=True)


def split(connection, stream):
    """The five bytes before the message in frames of their own, empty ones between."""
    connection.h2.send_headers(stream, HEAD)
    for byte in framed(REJECTED_ONE):
        connection.h2.send_data(stream, bytes([byte]))
        connection.h2.send_data(stream, b"")
        connection.flush()
    connection.h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)


def trailers_only(connection, stream):
    connection.h2.send_headers(stream, HEAD + [("grpc-status", "0")], end_stream=True)


def trailers_only_refusal(connection, stream):
    connection.h2.send_headers(
        stream, HEAD + [("grpc-status", "3"), ("grpc-message", "bad%20things")], end_stream=True)


def no_status(connection, stream):
    connection.h2.send_headers(stream, HEAD)
    connection.h2.send_data(stream, framed(b""), end_stream=True)


def informational(connection, stream):
    connection.h2.send_headers(stream, [(":status", "103"), ("grpc-status", "3")])
    plain(connection, stream)


def compressed(connection, stream):
    plain(connection, stream, framed(gzip.compress(REJECTED_ONE), 1), HEAD + [("grpc-encoding", "gzip")])


def go_away(connection, _):
    """None of the streams was looked at: they may be repeated elsewhere."""
    connection.h2.close_connection(last_stream_id=0)
    connection.flush()
    return False


def reset(code):
    def trick(connection, stream):
        connection.h2.reset_stream(stream, code)

    return trick


TRICKS = {
    "split": split,
    "trailers-only": trailers_only,
    "trailers-only-refusal": trailers_only_refusal,
    "no-status": no_status,
    "informational": informational,
    "compressed": compressed,
    "small-window": plain,
    "ping": plain,
    "go-away": go_away,
    "refused-stream": reset(h2.errors.ErrorCodes.REFUSED_STREAM),
    "internal-error": reset(h2.errors.ErrorCodes.INTERNAL_ERROR),
    "no-error": reset(h2.errors.ErrorCodes.NO_ERROR),
}
ALWAYS = ("small-window", "ping")

if __name__ == "__main__":
    Server(sys.argv[1]).run()
