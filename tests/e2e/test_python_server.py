# SPDX-License-Identifier: Apache-2.0
"""python3 -m http.server: a thread per connection, HTTP/1.0, close after each answer."""
import os

import lib
import observer
from http_raw import Client
from lib import equal, wait_for

RUNS_TOGETHER = True


def serve(t):
    """The server's process and port, with files to serve."""
    os.mkdir(t.path("files"))
    for name, size in (("small.txt", 10), ("large.bin", 300_000)):
        with open(os.path.join(t.path("files"), name), "wb") as f:
            f.write(os.urandom(size))
    port = lib.free_port()
    process = t.start(lib.PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1",
                      cwd=t.path("files"))
    wait_for(lambda: lib.listens(port), "http.server to listen")
    return process, port


REQUESTS = [("GET", "/small.txt", 200), ("GET", "/large.bin", 200), ("GET", "/missing", 404),
            ("HEAD", "/small.txt", 200), ("GET", "/", 200), ("POST", "/small.txt", 501)]


def expect(t, port, *target):
    zerospan = observer.observe(t, *target)
    peers = []
    for method, path, status in REQUESTS * 3:
        client = Client(port)
        peers.append(client.port)
        equal(client.request(method, path, [("User-Agent", "e2e")]).status, status, f"{method} {path}")
        client.close()
    zerospan.wait_spans(len(peers))
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    equal([(s.get("http.request.method"), s.get("url.path"), s.get("http.response.status_code"))
           for s in spans], REQUESTS * 3, "requests seen")
    equal([s.get("network.peer.port") for s in spans], peers, "peers' ports")
    for span in spans:
        status = span.get("http.response.status_code")
        equal(span.kind, "SERVER", f"kind of {span}")
        equal(span.status, "ERROR" if status >= 500 else "UNSET", f"status of {span}")
    equal(zerospan.summary().lost, 0, "losses")


def test_by_pid(t):
    process, port = serve(t)
    expect(t, port, "--pid", process.pid)


def test_by_port(t):
    _, port = serve(t)
    expect(t, port, "--port", port)


def test_as_command(t):
    port = lib.free_port()
    zerospan = observer.observe(t, program=[lib.PYTHON, "-m", "http.server", str(port),
                                            "--bind", "127.0.0.1"])
    wait_for(lambda: lib.listens(port), "http.server to listen")
    for _ in range(5):
        equal(Client(port).get("/").status, 200, "answer")
    wait_for(lambda: zerospan.out.count('"GET /"') >= 5, "five spans")
    zerospan.stop()
