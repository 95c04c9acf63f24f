# SPDX-License-Identifier: Apache-2.0
"""--logs: which bytes are lines of a log, and which are not; how lines are put together, and how many of them are told."""
import os
import re
import socket
import subprocess
import threading

import lib
import observer
from http_raw import Client, request_bytes
from lib import check, equal, wait_for
from shop import Shop

RUNS_TOGETHER = True

# Waits for a word on stdin, then writes.
WRITER = r'''
import os, sys, threading, time
sys.stdin.readline()
def write(text, fd=1):
    os.write(fd, text)
write(b"one whole line\n")
write(b"a line "); time.sleep(0.02); write(b"in three "); time.sleep(0.02); write(b"writes\n")
write(b"dos\r\n")
write(b"to stderr\n", 2)
os.write(os.dup(1), b"by another descriptor\n")
write(b"by the name of it\n", os.open("/proc/self/fd/1", os.O_WRONLY))
os.writev(1, [b"", b"in ", b"pieces", b"\n"])
write(b"L" * 100000 + b"\n")
write(b"bin\x00ary \xff\xc3\xa9\n")
write(b"\x1b[31mERROR\x1b[0m red\n")
gate = threading.Event()
def other():
    write(b"of another thread\n"); gate.set()
write(b"begun by the first, ")
threading.Thread(target=other).start()
gate.wait()
write(b"ended by it\n")
write(b"kept one\nkept two\nkept th")
write(b"ree\n")
write(b"no end")
time.sleep(1)
os.write(os.open("data.txt", os.O_WRONLY | os.O_CREAT), b"no log\n")
write(b"last\n")
sys.stdin.readline()
'''

WRITTEN = ["one whole line", "a line in three writes", "dos", "to stderr", "by another descriptor", "by the name of it",
           "in pieces", "16384 L", "bin\N{REPLACEMENT CHARACTER}ary \N{REPLACEMENT CHARACTER}\xe9",
           "\x1b[31mERROR\x1b[0m red", "begun by the first, ended by it", "of another thread", "kept one", "kept two",
           "kept three", "no end", "last"]


def brief(record):
    """What a record says; a long row of one letter as its number."""
    long = record.body and len(record.body) > 1000 and record.body == record.body[0] * len(record.body)
    return f"{len(record.body)} {record.body[0]}" if long else record.body


def start_writer(t, script, **how):
    return t.start(lib.PYTHON, t.write("writer.py", script), stdin=subprocess.PIPE, **how)


def go(process):
    process.popen.stdin.write(b"go\n")
    process.popen.stdin.flush()


def test_lines(t):
    """Joined, split, long, binary, by any descriptor of the stream, and no other file's."""
    writer = start_writer(t, WRITER)
    zerospan = observer.observe(t, "--logs", "--pid", writer.pid)
    go(writer)
    zerospan.wait_log("last")
    zerospan.finish()
    records = {brief(r): r for r in zerospan.logs()}
    equal(sorted(map(brief, zerospan.logs())), sorted(WRITTEN), "lines")
    equal([body for body, r in records.items() if r.stream == "stderr"], ["to stderr"], "on stderr")
    equal([(body, r.attrs["zerospan.log.missing_bytes"]) for body, r in records.items()
           if "zerospan.log.missing_bytes" in r.attrs], [("16384 L", 100000 - 16384)], "lines that are not whole")
    equal((records["\x1b[31mERROR\x1b[0m red"].severity, records["one whole line"].severity), (17, 0), "severities")
    equal(zerospan.summary().lost, 0, "losses")


def test_to_a_pipe(t):
    """The same where stdout is a pipe."""
    read, write = os.pipe()
    writer = start_writer(t, WRITER, stdout=write)
    os.close(write)
    got = []
    with os.fdopen(read, "rb") as pipe:
        reader = threading.Thread(target=lambda: got.append(pipe.read()))
        reader.start()
        zerospan = observer.observe(t, "--logs", "--pid", writer.pid)
        go(writer)
        zerospan.wait_log("last")
        zerospan.finish()
        writer.end()
        reader.join(10)
    equal(sorted(map(brief, zerospan.logs())), sorted(WRITTEN), "lines")
    check(got[0].startswith(b"one whole line\na line in three writes\n"), "the pipe's own bytes")
    check(got[0].endswith(b"\nno endlast\n"), "the pipe's own bytes")


# As loggers write them; what OpenTelemetry's number is, and the word that stands there.
SEVERITIES = {
    '{"time":"2026-11-27T02:53:02Z","level":"warning","msg":"x"}': (13, "warning"),
    '{"level":50,"time":1531171074631,"pid":657,"msg":"pino"}': (17, "50"),
    '{"severity":"DEBUG","message":"ok"}': (5, "DEBUG"),
    'time=2026-11-27T02:53:02Z level=error msg="no such file"': (17, "error"),
    "<3>cannot open the disk": (17, "3"),
    "2026-11-27 02:53:02,118 - shop.orders - CRITICAL - no such item": (21, "CRITICAL"),
    "2024/03/01 10:00:00 [warn] 123#0: *1 a client": (13, "warn"),
    "2026-11-27 02:53:02 TRACE [main] App:12 - entered": (1, "TRACE"),
    "W0102 15:04:05.678901   12345 main.go:12] slow": (13, "W"),
    "an error, or a warning, in a sentence": (0, ""),
    '{"msg":"error","nested":{"level":"error"}}': (0, ""),
}


def test_severities(t):
    """What the line itself says, in JSON, logfmt and the beginnings of others; on stderr nothing is guessed."""
    writer = start_writer(t, "import os, sys\nsys.stdin.readline()\n" + "".join(
        f"os.write({1 + i % 2}, {line.encode() + bytes([10])!r})\n" for i, line in enumerate([*SEVERITIES, "last"])) +
        "sys.stdin.readline()\n")
    zerospan = observer.observe_run(t, "--logs", "--format", "otlp-json", "--pid", writer.pid)
    go(writer)
    zerospan.wait_log("last")
    records = {r.body: (r.severity, r.severity_text) for r in zerospan.logs()}
    equal(records, {**SEVERITIES, "last": (0, "")}, "severities")
    counted = "zerospan_logs_records_total"
    wait_for(lambda: zerospan.metrics().sum(counted) == len(records), "all lines in /metrics")
    expected = {"trace": 1, "debug": 1, "warn": 3, "error": 3, "fatal": 1}
    equal({name: zerospan.metrics().sum(counted, severity=name) for name in expected}, expected, "lines by severity")
    equal(zerospan.stop(), 0, "exit status")


SPEAKER = r'''
import os, sys
sys.stdin.readline()
os.write(1, b"GET /checkout 200 12 ms\n")
os.write(1, b"INFO /started\n")
os.write(1, b"last\n")
sys.stdin.readline()
'''


def test_to_a_socket(t):
    """The journal's sockets, which cannot be read from, and nameless pairs: lines, whatever they look like."""
    path = t.path("journal")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    journal = socket.socket(socket.AF_UNIX)
    journal.connect(path)
    journal.shutdown(socket.SHUT_RD)
    ours, theirs = socket.socketpair()
    for what, end in (("journal", journal), ("pair", theirs)):
        speaker = start_writer(t, SPEAKER, stdout=end.fileno())
        end.close()
        zerospan = observer.observe(t, "--logs", "--pid", speaker.pid)
        go(speaker)
        zerospan.wait_log("last")
        equal(zerospan.finish(), [], f"{what}: spans")
        equal([r.body for r in zerospan.logs()], ["GET /checkout 200 12 ms", "INFO /started", "last"], f"{what}: lines")
    ours.close()


# Serves one request on stdin and stdout, as inetd's programs do.
INETD = r'''
import os
while True:
    data = os.read(0, 65536)
    if not data:
        break
    os.write(1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody\n")
'''


def test_http_on_descriptor_1(t):
    """A conversation is no log, whatever its descriptor is called."""
    for kind in (socket.AF_INET, socket.AF_UNIX):
        if kind == socket.AF_INET:
            listener = socket.create_server(("127.0.0.1", 0))
            client = Client(listener.getsockname()[1])
        else:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(t.path("inetd"))
            listener.listen(1)
            client = Client(t.path("inetd"))
        served, _ = listener.accept()
        process = t.start(lib.PYTHON, t.write("inetd.py", INETD), stdin=served.fileno(), stdout=served.fileno())
        served.close()
        zerospan = observer.observe(t, "--logs", "--pid", process.pid)
        for n in range(3):
            equal(client.get(f"/{n}").status, 200, "answer")
        zerospan.wait_spans(3)
        equal([s.get("url.path") for s in sorted(zerospan.finish(), key=lambda s: s.start)], ["/0", "/1", "/2"], "spans")
        equal(zerospan.logs(), [], "lines")
        client.close()
        listener.close()


# A daemon that closed its streams: its connections get their descriptors.
CLOSED = r'''
import os, socket, sys
port = int(sys.argv[1])
os.close(1)
listener = socket.create_server(("127.0.0.1", port))
assert listener.fileno() == 1
os.close(2)
conn, _ = listener.accept()
assert conn.fileno() == 2
while True:
    data = conn.recv(65536)
    if not data:
        break
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n" if data.startswith(b"GET") else b"+PRIVATE\n")
'''


def test_streams_that_are_closed(t):
    for first_bytes in (b"", b"private protocol\n"):
        port = lib.free_port()
        process = t.start(lib.PYTHON, t.write("closed.py", CLOSED), port)
        wait_for(lambda port=port: lib.listens(port), "the server")
        zerospan = observer.observe(t, "--logs", "--pid", process.pid)
        client = Client(port)
        if first_bytes:
            client.send(first_bytes)
            equal(client.socket.recv(100), b"+PRIVATE\n", "answer")
            client.send(first_bytes)
            equal(client.socket.recv(100), b"+PRIVATE\n", "answer")
        else:
            client.send(request_bytes("GET", "/"))
            equal(client.read_response().status, 200, "answer")
            zerospan.wait_spans(1)
        client.close()
        process.wait()
        equal(len(zerospan.finish()), 0 if first_bytes else 1, "spans")
        equal(zerospan.logs(), [], "lines")


# --- how many

FLOOD = r'''
import os, sys
sys.stdin.readline()
for n in range(5000):
    os.write(1, b"line %d\n" % n)
os.write(2, b"done\n")
sys.stdin.readline()
'''


def test_rate(t):
    """So many per second, the rest is counted; the program's own stream has them all."""
    writer = start_writer(t, FLOOD)
    config = t.write("logs.yaml", "logs: {rate: 10, burst: 100}\n")
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--listen", "127.0.0.1:0", "--config", config, "--pid", writer.pid)
    zerospan.wait_ready()
    go(writer)
    wait_for(lambda: "done" in writer.err, "the writer to end")

    def counted():
        metrics = zerospan.metrics()
        return metrics.sum("zerospan_logs_records_total"), metrics.sum("zerospan_logs_dropped_total", reason="rate_limit")

    wait_for(lambda: sum(counted()) + zerospan.metrics().sum("zerospan_lost_total", cause="ring_full_logs") >= 5001, "all lines counted")
    told, dropped = counted()
    check(100 <= told <= 300, f"{told} lines told")
    wait_for(lambda: len(zerospan.logs()) >= told, lambda: f"{told} records, there are {len(zerospan.logs())}")
    equal(len(zerospan.logs()), told, "records")
    equal(zerospan.stop(), 0, "exit status")
    equal(len(writer.out.splitlines()), 5000, "lines of the program")
    check(f"logs: {told:.0f} lines" in zerospan.err and f"{dropped:.0f} beyond the rate" in zerospan.err, zerospan.err)


# Writes lines as fast as it can, for some seconds.
TORRENT = r'''
import os, sys, time
sys.stdin.readline()
end, n = time.monotonic() + 3, 0
text = b"x" * 1000 + b"\n"
while time.monotonic() < end:
    for _ in range(1000):
        os.write(1, text)
    n += 1000
os.write(2, b"%d\n" % n)
sys.stdin.readline()
'''


def test_flood_pushes_out_no_request(t):
    """Lines that come faster than they are read get lost, and are counted; requests do not."""
    with open(os.devnull, "wb") as nowhere:
        writer = start_writer(t, TORRENT, stdout=nowhere.fileno())
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--logs", "--pid", writer.pid, "--pid", shop.pid)
    go(writer)
    client, sent = shop.client(), 0
    while not writer.err:
        equal(client.get(f"/{sent}").status, 404, "answer")
        sent += 1
    written = int(writer.err)
    name = "http_server_request_duration_seconds_count"
    wait_for(lambda: zerospan.metrics().sum(name) == sent, lambda: f"{sent} requests, there are {zerospan.metrics().sum(name)}")

    def accounted():
        metrics = zerospan.metrics()
        return sum(metrics.sum(f"zerospan_logs_{what}_total") for what in ("records", "dropped")) + \
            metrics.lost().get("ring_full_logs", 0)

    # The shop's lines, and the writer's word of its number, which may be among those that are lost.
    wait_for(lambda: accounted() == written + sent + 1, lambda: f"{written + sent + 1} lines to be accounted for, {accounted()} are")
    metrics = zerospan.metrics()
    check(set(metrics.lost()) <= {"ring_full_logs"}, f"losses {metrics.lost()}")
    equal(zerospan.stop(), 0, "exit status")
    t.note(f"{written} lines of 1 kB in 3 s, {metrics.lost().get('ring_full_logs', 0):.0f} refused, "
           f"{metrics.sum('zerospan_logs_records_total'):.0f} told; {sent} requests, all seen; " +
           re.search("cost: .*", zerospan.err).group(0))
