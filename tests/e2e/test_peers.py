# SPDX-License-Identifier: Apache-2.0
"""What other observers of unmodified programs get wrong, one test each:

    pipelined_requests_are_three        several requests in one read, answered by one write or several
    read_in_sixteens                    a head in reads of 16 bytes, each too short for its first line
    answer_byte_by_byte                 a status line of which no write holds more than one byte
    traceparent_*                       behind 4 KB of other fields, in any letter case, not from another field's value
    two_megabytes_of_sendfile           the size of what no buffer of the process ever held
    streamed_for_600_ms                 the size, and the time to the last byte, not to the first
    large_chunks                        chunks that are far larger than what is captured of them
    large_chunk_and_its_end_in_one_write  likewise, and nothing of its end is captured but the last bytes
    size_without_heads, post_of_64_kb   bodies alone, exact, above every buffer's size
    unusual_methods                     methods outside the usual list
    first_request_of_a_connection       timed from its own first byte, not from the connection's
    young_process                       serves and ends before it is a second old
    child_forked_in_mid_connection      the child goes on where its parent read
"""
import os
import shutil
import time

import lib
import observer
from http_raw import Client, request_bytes
from lib import check, equal
from puppeteer import Puppet, Wire
from test_odd_servers import Odd

PAUSE_S = 0.1


def start(t):
    puppet = Puppet(t)
    return puppet, observer.observe(t, "--pid", puppet.pid)


def request(path, method="GET", headers=(), size=0):
    return request_bytes(method, path, headers, b"b" * size)


def response(size):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()


def finish(zerospan, n):
    zerospan.wait_spans(n)
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    equal(len(spans), n, "spans")
    for span in spans:
        equal((span.get("http.response.status_code"), span.get("zerospan.capture")), (200, None),
              f"status and capture of {span}")
    return spans


def sizes(span):
    return span.get("http.request.body.size"), span.get("http.response.body.size")


# --- reads and writes that are no messages


def pipelined(t, answers):
    """Three requests in one read; answers: how many bytes each write has."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    paths = ["/one", "/two", "/three"]
    wire.take(b"".join(request(path, "POST", size=n) for n, path in enumerate(paths, 1)))
    wire.give(b"".join(response(10 + n) + b"x" * (10 + n) for n in range(3)), piece=answers)
    wire.close()
    spans = finish(zerospan, 3)
    equal({span.get("url.path"): sizes(span) for span in spans},
          {"/one": (1, 10), "/two": (2, 11), "/three": (3, 12)}, "sizes by path")


def test_pipelined_requests_are_three(t):
    pipelined(t, 1 << 20)


def test_pipelined_requests_are_three_in_answers_of_odd_pieces(t):
    pipelined(t, 33)


def test_read_in_sixteens(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    for path in ("/long/enough/for/more/than/one/read", "/two"):
        wire.take(request(path, "POST", size=100), piece=16)
        wire.give(response(50), 50)
    wire.close()
    equal([(s.get("url.path"), sizes(s)) for s in finish(zerospan, 2)],
          [("/long/enough/for/more/than/one/read", (100, 50)), ("/two", (100, 50))], "requests")


def test_answer_byte_by_byte(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    for _ in range(2):
        wire.take(request("/bytes"))
        wire.give(response(500) + b"x" * 500, piece=1)
    wire.close()
    equal([sizes(s) for s in finish(zerospan, 2)], [(None, 500)] * 2, "sizes")


# --- traceparent


def traced(t, headers):
    """The trace ids of one request for each list of fields, each in one read and in reads of 64 bytes."""
    puppet, zerospan = start(t)
    for fields in headers:
        for piece in (1 << 20, 64):
            wire = Wire(puppet)
            wire.take(request("/traced", headers=fields), piece=piece)
            wire.give(response(0))
            wire.close()
    return [span.trace_id for span in finish(zerospan, 2 * len(headers))]


TRACE = "abcd" * 8
VALUE = f"00-{TRACE}-{'12' * 8}-01"
PADDING = [(f"X-Padding-{n}", "p" * 120) for n in range(34)]  # more than 4 KB


def test_traceparent_behind_4_kb(t):
    small = [(f"X-{n}", "y") for n in range(450)]
    for trace in traced(t, [[*PADDING, ("traceparent", VALUE), ("Z", "end")], [*PADDING * 3, ("traceparent", VALUE)],
                            [*small, ("traceparent", VALUE)]]):
        equal(trace, TRACE, "trace id")


def test_traceparent_in_any_letter_case(t):
    for trace in traced(t, [[(name, VALUE)] for name in ("Traceparent", "TRACEPARENT", "TraceParent", "tRACEpARENT")]):
        equal(trace, TRACE, "trace id")


def test_traceparent_in_another_value_is_none(t):
    wrong = [[("X-Note", f"traceparent: {VALUE}")], [("Cookie", f"traceparent={VALUE}")],
             [("X", f"a, traceparent: {VALUE}")], [("X-traceparent", VALUE)], [*PADDING, ("Y", f"\ttraceparent: {VALUE}")]]
    for trace in traced(t, wrong):
        check(trace != TRACE, "a trace id was taken from another field's value")


# --- sizes and times


def test_two_megabytes_of_sendfile(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    for size in (2_000_000, 1, 2_097_152):
        wire.take(request(f"/file{size}"))
        wire.give(response(size))
        wire.give(b"", size, how="sendfile")
    wire.close()
    equal([sizes(s)[1] for s in finish(zerospan, 3)], [2_000_000, 1, 2_097_152], "sizes")


def streamed(t, size, framing):
    """Six parts of so many bytes, 100 ms before each."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    heads = {"chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "length": response(6 * size),
             "close": b"HTTP/1.1 200 OK\r\n\r\n"}
    begin = time.monotonic()
    wire.take(request("/slow"))
    wire.give(heads[framing])
    for _ in range(6):
        time.sleep(PAUSE_S)  # the body's pace
        wire.give(b"%x\r\n%s\r\n" % (size, b"x" * size) if framing == "chunked" else b"x" * size)
    if framing == "chunked":
        wire.give(b"0\r\n\r\n")
    elif framing == "close":
        wire.do("shut")
    lasted = time.monotonic() - begin
    if framing != "close":
        time.sleep(PAUSE_S)  # nothing comes: no part of it
    wire.close()
    span, = finish(zerospan, 1)
    equal(sizes(span)[1], 6 * size, "size")
    check(0.6 <= span.seconds <= lasted, f"{span} of a body that took {lasted:.3f} s")


def test_streamed_for_600_ms(t):
    streamed(t, 100, "chunked")


def test_streamed_for_600_ms_with_a_length(t):
    streamed(t, 30_000, "length")


def test_streamed_for_600_ms_until_close(t):
    streamed(t, 30_000, "close")


def test_large_chunks(t):
    streamed(t, 30_000, "chunked")


def test_large_chunk_and_its_end_in_one_write(t):
    """The middle of the write is not captured, its end is: as one buffer, and as pieces of which the last is the end."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    head, end = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"\r\n0\r\n\r\n"
    wire.take(request("/large"))
    wire.give(b"%s%x\r\n%s%s" % (head, 50_000, b"x" * 50_000, end))
    wire.take(request("/next", "POST", size=3))
    wire.give(response(4), 4)
    wire.close()
    server = Odd(t, "chunk_pieces")
    pieces = observer.observe(t, "--pid", server.pid)
    equal(len(server.client().get("/bytes/60000").body), 60_000, "length of the answer")
    spans = {span.get("url.path"): span for span in finish(zerospan, 2) + finish(pieces, 1)}
    equal([sizes(spans[path]) for path in ("/large", "/next", "/bytes/60000")],
          [(None, 50_000), (3, 4), (None, 60_000)], "sizes")


def test_size_without_heads(t):
    """Heads do not count, not even those of interim answers, chunk sizes and trailers."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    wire.take(request("/a", "POST", PADDING, 5))
    wire.give(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    wire.give(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nT: trailer\r\n\r\n")
    wire.close()
    equal(sizes(finish(zerospan, 1)[0]), (5, 7), "sizes")


def test_post_of_64_kb(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    for size in (65_536, 65_535, 65_537, 16_384):
        wire.take(request("/upload", "POST", size=size))
        wire.give(response(size), size)
    wire.close()
    equal([sizes(s) for s in finish(zerospan, 4)], [(n, n) for n in (65_536, 65_535, 65_537, 16_384)], "sizes")


def test_unusual_methods(t):
    puppet, zerospan = start(t)
    methods = ["PROPFIND", "MKCALENDAR", "VERSION-CONTROL", "PURGE", "M-SEARCH", "QUERY", "x", "get", "BASELINE-CONTROL"]
    for method in methods:
        wire = Wire(puppet)
        wire.take(request("/a", method))
        wire.give(response(1), 1)
        wire.close()
    equal([s.get("http.request.method_original") or s.get("http.request.method") for s in finish(zerospan, len(methods))],
          methods, "methods")


def test_first_request_of_a_connection(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    time.sleep(0.5)  # connected and accepted, but nothing is sent
    wire.take(request("/first"))
    wire.give(response(1), 1)
    wire.close()
    span, = finish(zerospan, 1)
    check(span.seconds < 0.3, f"{span} contains the time before its first byte")


# --- processes


YOUNG = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
conn, _ = listener.accept()
conn.recv(4096)
conn.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
conn.recv(1)
"""


def test_young_process(t):
    """Chosen by its program before it is there, it lives for one request."""
    program = t.path("young")
    shutil.copy(os.path.realpath(lib.PYTHON), program)
    first = t.start(program, "-c", YOUNG)
    zerospan = observer.observe(t, "--exe", program)
    first.end()
    for _ in range(3):
        begin = time.monotonic()
        process = t.start(program, "-c", YOUNG)
        lib.wait_for(lambda p=process: p.out.endswith("\n"), "the port")
        client = Client(int(process.out))
        equal(client.get("/young").status, 200, "answer")
        client.close()
        equal(process.wait(), 0, "exit status")
        t.note(f"lived {time.monotonic() - begin:.2f} s")
    finish(zerospan, 3)


def test_child_forked_in_mid_connection(t):
    """A child per connection that exits after it, and one made between two requests of a connection."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    wire.take(request("/parent"))
    wire.give(response(1), 1)
    wire.take(request("/both", "POST", size=50_000)[:-20_000])
    pid = puppet.do("fork", worker="child")
    wire.take(b"b" * 20_000, by="child")
    wire.give(response(2), 2, by="child")
    wire.take(request("/child"), by="child")
    wire.give(response(3), 3, by="child")
    wire.close()
    spans = finish(zerospan, 3)
    equal([(s.get("url.path"), sizes(s)) for s in spans],
          [("/parent", (None, 1)), ("/both", (50_000, 2)), ("/child", (None, 3))], "requests")
    check(spans[2].resource.get("service.name") == spans[0].resource.get("service.name"), "another service")
    check(pid, "no child")


def test_child_per_connection(t):
    server = Odd(t, "fork")
    zerospan = observer.observe(t, "--pid", server.pid)
    for n in range(5):
        client = server.client()
        equal(client.get(f"/child{n}").status, 200, "answer")
        client.close()
    equal([s.get("url.path") for s in finish(zerospan, 5)], [f"/child{n}" for n in range(5)], "requests")
