# SPDX-License-Identifier: Apache-2.0
"""A connection is a socket, not a descriptor and not a thread: descriptors are duplicated, inherited, passed on, closed by
others and used again, threads share a socket; and connections end in every way there is."""
import contextlib
import os
import signal

import lib
import observer
from lib import Failure, equal
from puppeteer import Puppet, Wire

RUNS_TOGETHER = True

BIG = 200_000  # bytes; far more than is captured


def request(path, size=0):
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()


def response(size):
    return f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()


def start(t):
    puppet = Puppet(t)
    return puppet, observer.observe(t, "--pid", puppet.pid)


def expect(zerospan, *expected):
    """Spans by path: (path, status, request size, response size, error.type); None: not there."""
    def facts(span):
        path = span.get("url.path") or "/" + span.get("url.full").split("/")[-1]
        return (path, span.get("http.response.status_code"), span.get("http.request.body.size"),
                span.get("http.response.body.size"), span.get("error.type"))

    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    equal(sorted(map(repr, map(facts, spans))), sorted(map(repr, expected)), "spans")
    for span in spans:
        equal(span.get("zerospan.capture"), None, f"capture of {span}")
    equal(zerospan.summary().lost, 0, "losses")
    return spans


def ask(wire, path, size=7, **how):
    wire.take(request(path, size) + b"b" * size, **how)


def answer(wire, size=9, **how):
    wire.give(response(size), size, **how)


# --- threads


def test_one_thread_reads_another_writes(t):
    """The body is still read while the answer is already written."""
    puppet, zerospan = start(t)
    for name in ("reader", "writer"):
        puppet.do("thread", worker=name)
    wire = Wire(puppet)
    for path in ("/one", "/two"):
        wire.take(request(path, BIG) + b"b" * 1000, by="reader")
        wire.give(response(BIG) + b"x" * 1000, by="writer")
        wire.take(b"b" * (BIG - 1000), by="reader")
        wire.give(b"", BIG - 1000, by="writer")
    wire.close()
    expect(zerospan, ("/one", 200, BIG, BIG, None), ("/two", 200, BIG, BIG, None))


def test_next_request_is_read_while_the_answer_is_written(t):
    """Both threads are inside their calls at the same time."""
    puppet, zerospan = start(t)
    for name in ("reader", "writer"):
        puppet.do("thread", worker=name)
    wire = Wire(puppet)
    ask(wire, "/one", BIG, by="reader")
    first, second = response(5_000_000), request("/two", BIG) + b"b" * BIG
    wire.do("write", by="writer", later=True, data=first.hex(), fill=5_000_000)  # more than fits into the socket
    wire.take(second, by="reader")
    wire.receive(len(first) + 5_000_000)
    puppet.do("collect", by="writer")
    answer(wire, 3, by="writer")
    wire.close()
    expect(zerospan, ("/one", 200, BIG, 5_000_000, None), ("/two", 200, BIG, 3, None))


def is_in_call_on(pid, fd):
    """Is a thread of the process inside of a system call whose first argument is this descriptor?"""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/syscall", encoding="ascii") as f:
            if f.read().split()[1:2] == [hex(fd)]:
                return True
    return False


def test_closed_by_another_thread(t):
    """While one thread waits in a read another closes the descriptor; the request it had is never answered. The number
    is the next connection's at once."""
    puppet, zerospan = start(t)
    puppet.do("thread", worker="reader")
    wire = Wire(puppet)
    ask(wire, "/unanswered", by="reader")
    wire.do("read", by="reader", later=True, n=1)
    lib.wait_for(lambda: is_in_call_on(puppet.pid, wire.fd), "the reader to wait in its read")
    wire.do("close")
    again = Wire(puppet)
    equal(again.fd, wire.fd, "descriptor of the next connection")
    ask(again, "/next")
    answer(again)
    wire.peer.shutdown(1)
    equal(puppet.do("collect", by="reader"), "early", "the read that waited")
    again.close()
    expect(zerospan, ("/unanswered", None, 7, None, "connection_closed"), ("/next", 200, 7, 9, None))


# --- descriptors


def duplicated(t, how):
    puppet, zerospan = start(t)
    wire, other = Wire(puppet), Wire(puppet)
    if how in ("dup2", "dup3"):
        puppet.do("dup", conn=wire.name, to=other.name, how=how)  # closes the other connection
    else:
        puppet.do("dup", conn=wire.name, to="copy", how=how)
    copy = other.name if how in ("dup2", "dup3") else "copy"
    first, wire.name = wire.name, copy
    ask(wire, "/one", BIG)  # read by the copy
    wire.name = first
    answer(wire, BIG)
    wire.take(request("/two", 7))
    wire.do("close")  # one of two, in the middle of a request
    wire.name = copy
    wire.take(b"b" * 7)
    answer(wire)
    wire.close()
    expect(zerospan, ("/one", 200, BIG, BIG, None), ("/two", 200, 7, 9, None))


def test_dup(t):
    duplicated(t, "dup")


def test_dup2(t):
    duplicated(t, "dup2")


def test_dup3(t):
    duplicated(t, "dup3")


def test_fcntl_dupfd(t):
    duplicated(t, "fcntl")


def test_fork_and_both_use_the_socket(t):
    """A child made in the middle of a request: it reads the rest, its parent answers, and the other way round."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    ask(wire, "/before")
    answer(wire)
    wire.take(request("/one", BIG) + b"b" * 500)
    puppet.do("fork", worker="child")
    wire.take(b"b" * (BIG - 500), by="child")
    wire.give(response(BIG) + b"x" * 500)
    wire.give(b"", BIG - 500, by="child")
    ask(wire, "/two")
    wire.do("close")  # the parent's copy
    answer(wire, by="child")
    ask(wire, "/three", by="child")
    wire.give(response(10) + b"x" * 4, by="child")
    puppet.ask("exit", by="child")  # it dies in the middle of its answer, with the last descriptor
    equal(wire.peer.recv(1), b"", "end of the connection")
    expect(zerospan, ("/before", 200, 7, 9, None), ("/one", 200, BIG, BIG, None), ("/two", 200, 7, 9, None),
           ("/three", 200, 7, 4, "incomplete_response"))


def test_passed_on(t):
    """SCM_RIGHTS, in the middle of a request's body."""
    puppet, zerospan = start(t)
    puppet.do("fork", worker="child")
    wire = Wire(puppet)
    wire.take(request("/one", BIG) + b"b" * 500)
    puppet.do("pass", conn=wire.name, to="child")
    wire.do("take", by="child")
    wire.do("close")
    wire.take(b"b" * (BIG - 500), by="child")
    answer(wire, BIG, by="child")
    ask(wire, "/two", by="child")
    answer(wire, by="child")
    wire.do("close", by="child")
    equal(wire.peer.recv(1), b"", "end of the connection")
    expect(zerospan, ("/one", 200, BIG, BIG, None), ("/two", 200, 7, 9, None))


def test_number_used_again(t):
    """Closed in the middle of an answer, or of a request, the number is another connection's directly; others go on."""
    puppet, zerospan = start(t)
    other, numbers, expected = Wire(puppet), set(), []
    for n in range(10):
        ask(other, f"/other{n}")
        wire = Wire(puppet)
        numbers.add(wire.fd)
        ask(wire, f"/full{n}", BIG)
        answer(wire, BIG)
        if n % 2:
            ask(wire, f"/cut{n}")
            wire.give(response(100) + b"x" * 40)
            expected.append((f"/cut{n}", 200, 7, 40, "incomplete_response"))
        else:
            wire.take(request(f"/cut{n}", 100) + b"b" * 60)
            expected.append((f"/cut{n}", None, 60, None, "connection_closed"))
        wire.do("close")
        answer(other)
        expected += [(f"/full{n}", 200, BIG, BIG, None), (f"/other{n}", 200, 7, 9, None)]
    other.close()
    equal(len(numbers), 1, "numbers that the descriptor had")
    expect(zerospan, *expected)


# --- ends


def test_shutdown_in_the_middle_of_an_answer(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    ask(wire, "/cut")
    wire.give(response(100) + b"x" * 40)
    wire.do("shut", how=2)
    wire.close()
    expect(zerospan, ("/cut", 200, 7, 40, "incomplete_response"))


def test_client_resets_in_the_middle_of_an_answer(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    ask(wire, "/cut")
    wire.give(response(BIG), 1000)
    wire.reset()
    wire.expect_end("reset")
    with contextlib.suppress(Failure):
        wire.do("write", fill=BIG - 1000)  # into nothing
    wire.do("close")
    expect(zerospan, ("/cut", 200, 7, 1000, "connection_reset"))


def test_server_resets_in_the_middle_of_its_answer(t):
    """By its own SO_LINGER 0: to itself the answer was cut short."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    ask(wire, "/cut")
    wire.give(response(BIG), 1000)
    wire.do("close", linger=0)
    with contextlib.suppress(ConnectionResetError):
        wire.peer.recv(1)
        raise Failure("no reset")
    expect(zerospan, ("/cut", 200, 7, 1000, "incomplete_response"))


def test_reset_seen_by_the_client(t):
    puppet, zerospan = start(t)
    wire = Wire(puppet, server=False)
    wire.give(request("/cut"))
    wire.take(response(BIG) + b"x" * 1000)
    wire.reset()
    wire.expect_end("reset")
    wire.do("close")
    expect(zerospan, ("/cut", 200, None, 1000, "connection_reset"))


def killed(t, server, sent, expected):
    """SIGKILL for a child of the puppet that has the only descriptor of a connection."""
    puppet, zerospan = start(t)
    wire = Wire(puppet, server)
    pid = puppet.do("fork", worker="child")
    wire.do("close")
    for what, data in sent:
        (wire.take if what == "in" else wire.give)(data, by="child")
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ConnectionResetError):
        equal(wire.peer.recv(1), b"", "end of the connection")
    expect(zerospan, *expected)


def test_client_killed_in_the_middle_of_its_request(t):
    killed(t, False, [("out", request("/a", 100) + b"b" * 30)], [("/a", None, 30, None, "connection_closed")])


def test_client_killed_in_the_middle_of_its_head(t):
    """What never became a request is none."""
    killed(t, False, [("out", request("/a", 100)[:-4])], [])


def test_server_killed_in_the_middle_of_its_answer(t):
    killed(t, True, [("in", request("/a")), ("out", response(100) + b"x" * 30)],
           [("/a", 200, None, 30, "incomplete_response")])


def test_server_killed_before_its_answer(t):
    killed(t, True, [("in", request("/a"))], [("/a", None, None, None, "connection_closed")])


def test_peer_gone_in_the_middle_of_its_request(t):
    """The observed server reads the end where more was promised, and closes."""
    puppet, zerospan = start(t)
    wire = Wire(puppet)
    wire.take(request("/a", BIG) + b"b" * 30_000)
    wire.close()
    expect(zerospan, ("/a", None, 30_000, None, "connection_closed"))


# --- met in the middle


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def late(t, server, in_request, chunked):
    """zerospan comes in the middle of a body: nothing is made of that exchange, the next ones are exact."""
    puppet = Puppet(t)
    wire = Wire(puppet, server)
    receive, send = (wire.take, wire.give) if server else (wire.give, wire.take)
    framing = b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 90000\r\n\r\n"
    parts = [chunk(b"y" * 30_000) + (b"0\r\n\r\n" if chunked and n == 2 else b"") if chunked else b"y" * 30_000
             for n in range(3)]
    request_head = b"POST /met HTTP/1.1\r\n" + (framing if in_request else b"\r\n")
    response_head = b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 0\r\n\r\n" if in_request else framing)
    receive(request_head)
    if not in_request:
        send(response_head)
    (receive if in_request else send)(parts[0][:20_000])
    zerospan = observer.observe(t, "--pid", puppet.pid)
    (receive if in_request else send)(parts[0][20_000:])
    for part in parts[1:]:
        (receive if in_request else send)(part)
    if in_request:
        send(response_head)
    for path in ("/one", "/two"):
        receive(request(path, BIG) + b"b" * BIG)
        send(response(BIG) + b"x" * BIG)
    wire.close()
    expect(zerospan, ("/one", 200, BIG, BIG, None), ("/two", 200, BIG, BIG, None))


def test_met_in_a_request_body(t):
    late(t, True, True, False)


def test_met_in_a_chunked_request_body(t):
    late(t, True, True, True)


def test_met_in_a_request_body_read_in_sixteens(t):
    """No read of what comes after it holds a whole start line either."""
    puppet = Puppet(t)
    wire = Wire(puppet)
    wire.take(request("/met", 100) + b"b" * 20)
    zerospan = observer.observe(t, "--pid", puppet.pid)
    wire.take(b"b" * 80, piece=16)
    wire.give(response(2) + b"ok")
    for path in ("/one", "/two"):
        wire.take(request(path, 50) + b"b" * 50, piece=16)
        wire.give(response(2) + b"ok")
    wire.close()
    expect(zerospan, ("/one", 200, 50, 2, None), ("/two", 200, 50, 2, None))


def test_met_in_an_answer(t):
    late(t, True, False, False)


def test_met_in_a_chunked_answer(t):
    late(t, True, False, True)


def test_met_in_a_request_body_of_a_client(t):
    late(t, False, True, False)


def test_met_in_an_answer_to_a_client(t):
    late(t, False, False, False)


def test_met_in_a_chunked_answer_to_a_client(t):
    late(t, False, False, True)
