# SPDX-License-Identifier: Apache-2.0
"""The conversations of tests/data/http1_vectors.txt (its head says what the lines mean) and what spans they must give."""
import os
import re

import lib
from lib import Failure

PATH = os.path.join(lib.ROOT, "tests", "data", "http1_vectors.txt")
TRACE_ID = "ab" * 16
KNOWN_METHODS = {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"}
FLAWS = {None: None, "length": "ambiguous_length", "field": "malformed_field"}
ESCAPE = re.compile(rb"\\(?:\{(\d+):((?:[^}\\]|\\[^{])*)\}|x([0-9a-f]{2})|(.))", re.S)
SIMPLE = {b"r": b"\r", b"n": b"\n", b"\\": b"\\"}


def unescape(text):
    def one(match):
        times, repeated, code, letter = match.groups()
        if times:
            return unescape(repeated) * int(times)
        return bytes([int(code, 16)]) if code else SIMPLE[letter]

    return ESCAPE.sub(one, text)


class Vector:
    def __init__(self, name):
        self.name = name
        self.steps = []  # (what, bytes): q, s, end-q, end-s, reset, close
        self.expect = []
        self.unmet = self.whole = False


def load():
    vectors = []
    with open(PATH, "rb") as f:
        for line in f.read().split(b"\n"):
            word, _, rest = line.partition(b" ")
            if not line or line.startswith(b"#"):
                continue
            if word == b"vector":
                vectors.append(Vector(rest.decode()))
            elif word in (b"q", b"s"):
                vectors[-1].steps.append((word.decode(), unescape(rest)))
            elif word in (b"end-q", b"end-s", b"reset", b"close"):
                vectors[-1].steps.append((word.decode(), b""))
            elif word in (b"unmet", b"whole"):
                setattr(vectors[-1], word.decode(), True)
            elif word == b"expect":
                vectors[-1].expect = [Expected(part) for part in rest.decode().split("; ") if part]
            else:
                raise Failure(f"{PATH}: {line!r}")
    return vectors


def short(text):
    """As in the file: a long target by its beginning and length."""
    return text if len(text) < 64 else f"{text[:8]}...{len(text)}"


class Expected:
    """One exchange in the words of the file."""

    def __init__(self, text):
        self.text = text
        self.method, self.target, status, sizes, *marks = text.split(" ")
        self.status = int(status) or None
        self.request, self.response = map(int, sizes.split("+"))
        self.partial, self.traced = "partial" in marks, "traced" in marks
        values = dict(mark.split("=") for mark in marks if "=" in mark)
        self.error = values.get("error")
        self.flaws = FLAWS[values.get("q-flaw")], FLAWS[values.get("s-flaw")]

    def attributes(self, kind):
        """What the span must say; None: the attribute must not be there."""
        canonical = self.method if self.method in KNOWN_METHODS else "_OTHER"
        failed = self.status if self.status and self.status >= (500 if kind == "SERVER" else 400) else None
        sizes = (None, None) if self.partial else (self.request or None, self.response or None)
        error = self.error or (str(failed) if failed else None)
        path = self.path
        expected = {
            "kind": kind,
            "status": "ERROR" if error else "UNSET",
            "name": " ".join(filter(None, ["HTTP" if canonical == "_OTHER" else canonical, self.route])),
            "http.request.method": canonical,
            "http.request.method_original": None if canonical == self.method else self.method,
            "http.response.status_code": self.status,
            "http.request.body.size": sizes[0],
            "http.response.body.size": sizes[1],
            "error.type": error,
            "zerospan.capture": "partial" if self.partial else None,
            "zerospan.http.request.flaw": self.flaws[0],
            "zerospan.http.response.flaw": self.flaws[1],
        }
        if kind == "SERVER":
            expected["url.path"] = path
        if self.authority:
            expected["server.address"], expected["server.port"] = self.authority
        return expected

    @property
    def authority(self):
        """Host and port that the target names, None when it names none."""
        match = re.match(r"http://([^/:]*):(\d+)" if self.method != "CONNECT" else r"([^:]*):(\d+)", self.target)
        return match and (match.group(1), int(match.group(2)))

    @property
    def route(self):
        """The path with its numbers as what they are."""
        return self.path and re.sub(r"/\d+", "/{id}", self.path)

    @property
    def path(self):
        if self.method == "CONNECT":
            return None
        return re.sub(r"^http://[^/]*", "", self.target).split("?")[0] or "/"


def told(span, keys):
    """A span in the words of attributes(), as far as these are keys."""
    return {key: getattr(span, key) if key in ("kind", "status", "name") else span.get(key) for key in keys}
