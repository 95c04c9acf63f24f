# SPDX-License-Identifier: Apache-2.0
"""A request begins when the kernel had it, not when a busy program came to read it; the time between
is the span's zerospan.time.queued_ms."""
import time

import lib
import observer
from http_raw import Client, request_bytes
from lib import check, wait_for

LATE_S = 0.3
ENOUGH_S = 0.25     # two clock ticks of the slowest kernels less

# Accepts, and looks at what has come, LATE_S after it might have. argv: before which of the two.
SERVER = f"""
import select, socket, sys, time
late = sys.argv[1]
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    select.select([listener], [], [])
    if late == "accept":
        time.sleep({LATE_S})
    conn, _ = listener.accept()
    while select.select([conn], [], [])[0]:
        if late == "read":
            time.sleep({LATE_S})
        if late == "peek":
            conn.recv(1, socket.MSG_PEEK)
            time.sleep({LATE_S})
        data = conn.recv(65536)
        while data and b"\\r\\n\\r\\n" not in data:
            data += conn.recv(65536)
        if not data:
            break
        conn.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    conn.close()
"""


def serve(t, late):
    process = t.start(lib.PYTHON, t.write("server.py", SERVER), late)
    port = int(wait_for(lambda: process.out.split("\n")[0], lambda: f"the server: {process.err}"))
    return observer.observe(t, "--pid", process.pid), port


def queued_ms(span):
    return span.get("zerospan.time.queued_ms") or 0


def spans_of(zerospan, n):
    zerospan.wait_spans(n)
    return sorted(zerospan.finish(), key=lambda span: span.start)


def expect_waited(span, answer):
    """The span begins after the client's sending, and says for how long nobody looked."""
    queued_s = queued_ms(span) / 1e3
    check(ENOUGH_S <= queued_s <= span.seconds, f"{span} waited {queued_ms(span)} ms")
    check(span.start >= answer.wall_sent, f"{span} began before the client sent it")


def test_waits_to_be_accepted(t):
    zerospan, port = serve(t, "accept")
    answer = Client(port).get("/one")
    expect_waited(*spans_of(zerospan, 1), answer)


def test_waits_to_be_read(t):
    """Also on a connection in use, where acknowledgements are delayed and sent meanwhile."""
    zerospan, port = serve(t, "read")
    client = Client(port)
    answers = [client.get("/one"), client.get("/two"), client.get("/three")]
    for span, answer in zip(spans_of(zerospan, 3), answers):
        expect_waited(span, answer)


def test_waits_after_a_look(t):
    """MSG_PEEK takes nothing; what is known of the arrival then is good to a clock tick or two."""
    zerospan, port = serve(t, "peek")
    answer = Client(port).get("/one")
    expect_waited(*spans_of(zerospan, 1), answer)


def test_client_that_is_gone(t):
    """The FIN that follows a request is no arrival of data."""
    zerospan, port = serve(t, "read")
    client = Client(port)
    client.send(request_bytes("GET", "/one"))
    time.sleep(LATE_S / 3)
    client.close()
    span, = spans_of(zerospan, 1)
    check(queued_ms(span) >= ENOUGH_S * 1e3, f"{span} waited {queued_ms(span)} ms")


def test_client_that_is_slow(t):
    """A request that comes in pieces begins with the first of them, which nobody lets wait."""
    zerospan, port = serve(t, "never")
    client = Client(port)
    head = request_bytes("GET", "/one")
    start = time.time_ns()
    client.send(head[:10])
    time.sleep(LATE_S)
    client.send(head[10:])
    client.read_response()
    span, = spans_of(zerospan, 1)
    check(span.seconds >= ENOUGH_S, f"{span} began after its first byte")
    check(span.start >= start, f"{span} began before its first byte")
    check(queued_ms(span) < ENOUGH_S * 1e3, f"{span} waited {queued_ms(span)} ms")


