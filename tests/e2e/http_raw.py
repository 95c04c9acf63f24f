# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 by hand on one connection that stays open: the tests decide every byte and every write."""
import json
import socket
import time

from lib import Failure, SLOWNESS


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case; the last of a name
        self.body = body
        self.sent = self.received = 0  # time.monotonic_ns(); sent: before the first byte
        self.wall_sent = self.wall_received = 0  # time.time_ns()

    @property
    def seconds(self):
        return (self.received - self.sent) / 1e9

    def json(self):
        return json.loads(self.body)


def request_bytes(method, target, headers=(), body=b"", host="127.0.0.1"):
    """headers: pairs in order. A body gets a Content-Length."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Client:
    """A connection to a TCP port or to a Unix socket's path."""

    def __init__(self, to, host="127.0.0.1", timeout=15.0):
        timeout *= SLOWNESS
        if isinstance(to, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(to)
        else:
            self.socket = socket.create_connection((host, to), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.host = "localhost" if isinstance(to, str) else \
            f"[{host}]:{to}" if ":" in host else f"{host}:{to}"
        self.buffer = b""

    @property
    def port(self):
        """Our end's port."""
        return self.socket.getsockname()[1]

    def send(self, data):
        self.socket.sendall(data)

    def _more(self):
        data = self.socket.recv(1 << 18)
        self.buffer += data
        return bool(data)

    def _until(self, mark):
        while mark not in self.buffer:
            if not self._more():
                raise Failure(f"the server closed the connection, left: {self.buffer[:200]!r}")
        data, self.buffer = self.buffer.split(mark, 1)
        return data

    def _exactly(self, n):
        parts, have = [self.buffer], len(self.buffer)
        while have < n:
            data = self.socket.recv(1 << 18)
            if not data:
                raise Failure(f"the server closed the connection {n - have} bytes early")
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        self.buffer = data[n:]
        return data[:n]

    def _chunked(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            body += self._exactly(size)
            self._until(b"\r\n")
            if size == 0:
                return body

    def read_response(self, method="GET"):
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        headers = {}
        for line in head[1:]:
            name, value = line.split(":", 1)
            headers[name.strip().lower()] = value.strip()
        body = b""
        if method == "HEAD" or status in (204, 304):
            pass
        elif "chunked" in headers.get("transfer-encoding", ""):
            body = self._chunked()
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            while self._more():
                pass
            body, self.buffer = self.buffer, b""
        response = Response(status, headers, body)
        response.received, response.wall_received = time.monotonic_ns(), time.time_ns()
        return response

    def request(self, method, target, headers=(), body=b""):
        data = request_bytes(method, target, headers, body, self.host)
        sent, wall = time.monotonic_ns(), time.time_ns()
        self.send(data)
        response = self.read_response(method)
        response.sent, response.wall_sent = sent, wall
        return response

    def get(self, target, headers=()):
        return self.request("GET", target, headers)

    def post_json(self, target, value, headers=()):
        return self.request("POST", target, [("Content-Type", "application/json"), *headers],
                            json.dumps(value))

    def close(self):
        self.socket.close()
