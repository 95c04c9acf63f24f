# SPDX-License-Identifier: Apache-2.0
"""--logs: what processes write to stdout and stderr, as log records of the requests they are about.

The truth is in the lines: the shop and nginx say in each which method, path and status it is about, and paths are used once.
A line with a span that is not that one's is wrong, and wrong must be 0.
"""
import collections
import json
import os
import random
import re
import subprocess
import threading

import lib
import observer
from http_raw import Client, request_bytes
from lib import check, equal, wait_for
from otlp import Receiver, any_value, first, key_values, message
from shop import MODELS, Shop, order

RUNS_TOGETHER = True

PARALLEL = 12
ROUNDS = 6


# --- the shop


def is_request(record):
    return '"msg":"request"' in record.body


def about(line):
    return line["method"], line["path"], line["status"]


def of_span(span):
    return span.get("http.request.method"), span.get("url.path"), span.get("http.response.status_code")


def score(t, model, zerospan, written):
    """Every line came once; those with a span have the right one. How many have none."""
    spans = {s.span_id: s for s in zerospan.spans()}
    records = [r for r in zerospan.logs() if is_request(r)]
    equal(collections.Counter(r.body for r in records), collections.Counter(written), f"{model}: lines")
    wrong, orphans = [], 0
    for record in records:
        line, span = json.loads(record.body), spans.get(record.span_id)
        if not record.span_id:
            equal(record.trace_id, "", f"trace of {record}")
            orphans += 1
        elif not span or span.kind != "SERVER" or span.trace_id != record.trace_id or of_span(span) != about(line) \
                or not span.start <= record.time <= span.end:
            wrong.append((record, span))
        equal((record.stream, record.severity_text), ("stdout", line["level"]), f"stream and level of {record}")
        equal(record.resource["service.name"], "unknown_service:shop", "service")
    t.note(f"{model}: {len(records)} lines, correct {len(records) - orphans - len(wrong)}, orphan {orphans}, "
           f"wrong {len(wrong)}")
    check(not wrong, f"{model}: wrong, for example {wrong[:3]}")
    return orphans


def shop_lines(shop):
    """What the shop has written of requests."""
    return [line for line in shop.process.out.splitlines() if '"msg":"request"' in line]


def one_by_one(shop):
    client = shop.client()
    for n in range(5):
        equal(client.post_json("/checkout", order()).status, 200, "checkout")
        equal(client.get(f"/none/{n}").status, 404, "not found")
        equal(client.post_json("/checkout", order("unicorn")).status, 400, "refused")
    equal(client.request("POST", "/checkout", (), "{").status, 422, "no JSON")


def crew(n, work):
    """n clients at once: work(number, meet), where meet waits for the others."""
    barrier, errors = threading.Barrier(n), []

    def run(number):
        try:
            work(number, lambda: barrier.wait(30))
        except Exception as error:  # noqa: BLE001 told below
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    check(not errors, f"a client failed: {errors[:1]}")


def all_at_once(shop):
    def work(number, meet):
        client = shop.client()
        for turn in range(ROUNDS):
            meet()
            if (number + turn) % 3:
                client.get(f"/only/{number}/{turn}")
            else:
                client.post_json("/checkout", order("headphones" if number // 3 % 2 else "unicorn"))

    crew(PARALLEL, work)


def one_after_another(shop):
    """As fast as each client gets its answers, with different outcomes."""
    def work(number, meet):
        client, choose = shop.client(), random.Random(number)
        meet()
        for turn in range(25):
            item = choose.choice(["", "", "headphones", "laptop", "unicorn"])
            if item:
                client.post_json("/checkout", order(item, 2 if item == "laptop" else 1))
            else:
                client.get(f"/only/{number}/{turn}")

    crew(2 * PARALLEL, work)


def shop_model(t, model, *works):
    """works: loads and whether lines may be of nobody then."""
    shop = Shop(t, model, "--journal", "wal")
    before = len(shop_lines(shop))
    for work, may_orphan in works:
        zerospan = observer.observe(t, "--logs", "--pid", shop.pid)
        work(shop)
        written = shop_lines(shop)[before:]
        before += len(written)
        wait_for(lambda: sum(map(is_request, zerospan.logs())) >= len(written), "all lines")
        equal(zerospan.stop(), 0, "exit status")
        equal(zerospan.summary().lost, 0, "losses")
        orphans = score(t, f"{model}, {work.__name__}", zerospan, written)
        check(may_orphan or orphans == 0, f"{model}: {orphans} lines of no request")


@lib.deadline(90)
def test_thread_per_connection(t):
    shop_model(t, MODELS[0], (one_by_one, False), (all_at_once, False), (one_after_another, False))


@lib.deadline(90)
def test_pool(t):
    """With half of its workers in calls it holds a checkout that one has read, and another one goes on with it: then a line may be of nobody."""
    shop_model(t, MODELS[1], (one_by_one, False), (all_at_once, False), (one_after_another, True))


@lib.deadline(90)
def test_event_loop(t):
    """Lines may be of nobody while the one thread serves several."""
    shop_model(t, MODELS[2], (one_by_one, False), (all_at_once, True), (one_after_another, True))


def test_tree_and_one_trace(t):
    """The lines of a trace below it, in the order of time; of a recording, one trace alone."""
    shop = Shop(t)
    zerospan = observer.start(t, "trace", "--logs", "--record", t.path("rec"), "--pid", shop.pid)
    zerospan.wait_ready()
    client = shop.client()
    client.post_json("/checkout", order())
    client.get("/other")
    wait_for(lambda: "GET /other" in zerospan.out and "deduct" in zerospan.out, "both trees")
    shop.process.signal(15)
    wait_for(lambda: '"msg":"stopped"' in zerospan.out, "the line of no request")
    equal(zerospan.stop(), 0, "exit status")
    match = re.search(r"^POST /checkout .* trace (\w{8})\n(?:[├│└ ].*\n)+", zerospan.out, re.M)
    check(match, zerospan.out)
    lines = re.findall(r"^  \+[\d.]+ \S+ +INFO   (POST \S+) +(\{.*\})$", match.group(0), re.M)
    equal([(name, about(json.loads(line))) for name, line in lines],
          [("POST /inventory/deduct", ("POST", "/inventory/deduct", 200)),
           ("POST /checkout", ("POST", "/checkout", 200))], "lines below the tree")
    check(re.search(r"^\d{4}-.*Z INFO +\[shop \d+\] \{.*\"stopped\".*log.iostream=stdout", zerospan.out, re.M),
          zerospan.out)
    replayed = subprocess.run([lib.built("zerospan"), "replay", "-q", "--logs", "--trace-id", match.group(1),
                               t.path("rec")], capture_output=True, text=True, check=False, timeout=30)
    equal((replayed.returncode, replayed.stdout), (0, match.group(0)), "the replay of one trace")
    t.note(f"{len(match.group(0).splitlines())} lines for the tree of one checkout")


def relay(t, ask=()):
    """(process, port) of relay_server.py, which asks that port if there is one."""
    process = t.start(lib.PYTHON, os.path.join(lib.HERE, "relay_server.py"), *ask)
    return process, int(wait_for(lambda: process.out.strip(), "the server's port"))


def test_order_of_time(t):
    """What two processes say of one trace among much else: below its tree, and of a recording alone, as it happened."""
    back, back_port = relay(t)
    front, port = relay(t, [back_port])
    zerospan = observer.start(t, "trace", "--logs", "--record", t.path("rec"), "--pid", front.pid, "--pid", back.pid)
    zerospan.wait_ready()

    def work(number, meet):
        client = Client(port)
        meet()
        for turn in range(5):
            trace_id = f"{number:08x}{turn:024x}"
            client.get(f"/{number}/{turn}", [("traceparent", f"00-{trace_id}-00f067aa0ba902b7-01")])
        client.close()

    crew(PARALLEL, work)
    wait_for(lambda: len(re.findall(r"ends /\d+/\d+$", zerospan.out, re.M)) >= 10 * PARALLEL, "all lines")
    equal(zerospan.stop(), 0, "exit status")
    for number in (0, PARALLEL - 1):
        replayed = subprocess.run([lib.built("zerospan"), "replay", "-q", "--logs", "--trace-id", f"{number:08x}{3:024x}",
                                   t.path("rec")], capture_output=True, text=True, check=False, timeout=30)
        equal(replayed.returncode, 0, replayed.stderr)
        check(replayed.stdout and replayed.stdout in zerospan.out, f"the live run shows it, too:\n{replayed.stdout}")
        lines = re.findall(r"^  \+[\d.]+ \S+ .*(asks|answers): (.*)$", replayed.stdout, re.M)
        what = f"/{number}/3"
        equal(lines, [("asks", f"begins {what}"), ("answers", f"begins {what}"), ("answers", f"ends {what}"), ("asks", f"ends {what}")],
              f"lines of\n{replayed.stdout}\n")
        check(len(replayed.stdout.splitlines()) == 3 + len(lines), f"nothing else is there:\n{replayed.stdout}")


def test_replay_is_the_same(t):
    """With --logs it tells the same records, without it none."""
    shop = Shop(t, "event-loop")
    zerospan = observer.observe(t, "--logs", "--record", t.path("rec"), "--pid", shop.pid)
    one_by_one(shop)
    zerospan.wait_log('"status":422')
    zerospan.finish()

    def replay(*options):
        done = subprocess.run([lib.built("zerospan"), "replay", "--format", "otlp-json", *options, t.path("rec")],
                              capture_output=True, text=True, check=False, timeout=30)
        equal(done.returncode, 0, done.stderr)
        return sorted(done.stdout.splitlines())

    equal(replay("--logs"), sorted(zerospan.out.splitlines()), "the replay")
    check(not any("resourceLogs" in line for line in replay()), "lines that were not asked for")


def test_otlp(t):
    """At a backend: resource of the shop, trace and span as its spans have them, attributes, severity."""
    receiver = Receiver(t)
    shop = Shop(t, env={"OTEL_SERVICE_NAME": "web"})
    zerospan = observer.observe_run(t, "--logs", "--pid", shop.pid, env=receiver.environment)
    shop.client().post_json("/checkout", order("unicorn"))

    def records():
        found = []
        for group in (message(g) for body in list(receiver.log_bodies) for g in message(body).get(1, [])):
            resource = key_values(message(first(group, 1)).get(1, []))
            if resource["service.name"] == "web":
                equal(resource["process.pid"], shop.pid, "pid")
                found += [message(record) for scope in map(message, group[2]) for record in scope[2]]
        return found

    wait_for(lambda: len(records()) >= 2, "two records at the receiver")
    wait_for(lambda: len(receiver.spans()) >= 6, "the spans")
    wait_for(lambda: zerospan.metrics().sum("zerospan_logs_records_total", severity="warn") == 2, "two records in /metrics")
    equal(zerospan.stop(), 0, "exit status")
    spans = {s.span_id: s for s in receiver.spans()}
    for record in records():
        line = json.loads(any_value(first(record, 5)))
        span = spans[first(record, 10).hex()]
        equal((of_span(span), span.trace_id), (about(line), first(record, 9).hex()), "whose line")
        equal((first(record, 2, 0), first(record, 3).decode()), (13, "warning"), "severity")
        attrs = key_values(record.get(6, []))
        equal(attrs["log.iostream"], "stdout", "stream")
        check(attrs["thread.id"] >= shop.pid, "thread")
        check(first(record, 11, 0) >= first(record, 1, 0) > 0, "times")


def test_off_by_default(t):
    """Without --logs nothing of it is told, nor written into a recording."""
    path = t.path("rec")
    done = t.run(lib.built("zerospan"), "trace", "--format", "otlp-json", "--output", t.path("out"), "--record", path, "--",
                 "/bin/sh", "-c", "echo the-secret-word; echo the-secret-word >&2")
    equal(done.status, 0, done.err)
    for name in (path, t.path("out")):
        with open(name, "rb") as f:
            check(b"the-secret-word" not in f.read(), f"{name} has it")
    done = t.run(lib.built("zerospan"), "trace", "--logs", "--format", "none", "--output-logs", t.path("logs"), "--", "/bin/sh",
                 "-c", "echo the-secret-word; echo the-secret-word >&2")
    with open(t.path("logs"), "rb") as f:
        equal(f.read().count(b'"the-secret-word"'), 2, "with --logs")


# --- servers that others wrote

RAISING = r'''
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/raise"):
            raise ValueError("no such item " + self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''


def test_python_traceback(t):
    """Each line of it a record of its own, all of the request that it was raised in."""
    port = lib.free_port()
    server = t.start(lib.PYTHON, t.write("raising.py", RAISING), port)
    wait_for(lambda: lib.listens(port), "the server")
    zerospan = observer.observe(t, "--logs", "--pid", server.pid)
    for n in range(3):
        equal(Client(port).get(f"/fine/{n}").status, 200, "answer")
        failing = Client(port)
        failing.send(request_bytes("GET", f"/raise/{n}"))
        equal(failing.socket.recv(1), b"", "no answer")
        zerospan.wait_log(f"ValueError: no such item /raise/{n}")
    zerospan.wait_spans(6)
    spans = {s.span_id: s for s in zerospan.finish()}
    for record in zerospan.logs():
        equal(record.stream, "stderr", f"stream of {record}")
        path = re.search(r"/(?:raise|fine)/\d", record.body)
        if path:
            check(record.span_id in spans, f"{record} is of no request")
            equal(spans[record.span_id].get("url.path"), path.group(0), f"request of {record}")
    of_raise = [r for r in zerospan.logs() if spans.get(r.span_id) and "/raise/0" == spans[r.span_id].get("url.path")]
    bodies = [r.body for r in of_raise]
    check("Traceback (most recent call last):" in bodies and any(b.startswith("  File ") for b in bodies), f"{bodies}")
    equal(sum("\n" in r.body for r in zerospan.logs()), 0, "records of several lines")
    written = [line for line in server.err.splitlines() if line]
    equal(collections.Counter(r.body for r in zerospan.logs()), collections.Counter(written), "lines")
    t.note(f"{len(written)} lines of stderr, {sum(not r.span_id for r in zerospan.logs())} of no request")


NGINX = """
daemon off;
worker_processes 2;
pid {dir}/nginx.pid;
error_log stderr info;
events {{ worker_connections 64; }}
http {{
    log_format json escape=json '{{"method":"$request_method","path":"$uri","status":$status,"level":"info"}}';
    access_log /proc/self/fd/1 json;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    server {{ listen 127.0.0.1:{port}; root {dir}/www; location /ok/ {{ return 200 "ok"; }} }}
}}
"""


def start_nginx(t):
    port = lib.free_port()
    os.makedirs(t.path("www"), exist_ok=True)
    nginx = t.start(lib.tool("nginx", "nginx-light"), "-c", t.write("nginx.conf", NGINX.format(dir=t.dir, port=port)), "-e",
                    "stderr")
    wait_for(lambda: lib.listens(port), lambda: f"nginx to listen: {nginx.err}")
    wait_for(lambda: len(lib.children(nginx.pid)) == 2, "both workers")
    return nginx, port


def test_nginx(t):
    """error_log on stderr, before the answer; access_log by the name of stdout, behind it."""
    nginx, port = start_nginx(t)
    zerospan = observer.observe(t, "--logs", "--pid", nginx.pid)
    clients = [Client(port) for _ in range(4)]
    for n in range(20):
        equal(clients[n % 4].get(f"/ok/{n}").status, 200, "answer")
        equal(clients[n % 4].get(f"/missing/{n}").status, 404, "answer")
    wait_for(lambda: sum("/missing/" in r.body for r in zerospan.logs()) >= 40, "the lines")
    zerospan.wait_spans(40)
    spans = {s.span_id: s for s in zerospan.finish()}
    access = [r for r in zerospan.logs() if r.stream == "stdout"]
    errors = [r for r in zerospan.logs() if r.stream == "stderr" and "/missing/" in r.body]
    equal((len(access), len(errors)), (40, 20), "lines of requests")
    for record in access:
        check(record.span_id in spans, f"{record} is of no request")
        equal(of_span(spans[record.span_id]), about(json.loads(record.body)), f"request of {record}")
    for record in errors:
        check(record.span_id in spans, f"{record} is of no request")
        check(f'"GET {spans[record.span_id].get("url.path")} ' in record.body, f"{record} is not of {spans[record.span_id]}")
        equal((record.severity, record.severity_text), (17, "error"), f"severity of {record}")


def test_nginx_at_once(t):
    """Workers with many connections: a line may be of nobody, and of nobody else."""
    nginx, port = start_nginx(t)
    zerospan = observer.observe(t, "--logs", "--pid", nginx.pid)

    def work(number, _meet):
        client = Client(port)
        for n in range(50):
            client.get(f"/ok/{number}/{n}" if n % 2 else f"/missing/{number}/{n}")
        client.close()

    crew(PARALLEL, work)
    count = 50 * PARALLEL
    wait_for(lambda: sum(r.stream == "stdout" for r in zerospan.logs()) >= count, "the lines")
    spans = {s.span_id: s for s in zerospan.finish()}
    access = [r for r in zerospan.logs() if r.stream == "stdout"]
    wrong = [(r, spans.get(r.span_id)) for r in access
             if r.span_id and (r.span_id not in spans or of_span(spans[r.span_id]) != about(json.loads(r.body)))]
    orphans = sum(not r.span_id for r in access)
    t.note(f"{len(access)} lines, correct {len(access) - orphans - len(wrong)}, orphan {orphans}, wrong {len(wrong)}")
    check(not wrong, f"wrong, for example {wrong[:3]}")
    equal(len(access), count, "lines")
    check(orphans < count / 2, "most lines are of no request")


# One thread. /first is answered when another thread has done its work, which says so by a descriptor; /second behind whatever
# else there is to do. Both are there at once.
WOKEN_LOOP = """
import os, select, socket, sys, threading, time
BELL
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
epoll = select.epoll()
for fd in (listener.fileno(), bell):
    epoll.register(fd, select.EPOLLIN)
conns, answers, woken = {}, [], 0
while woken < 1 or answers or len(conns) < 2:
    ready = [fd for fd, _ in epoll.poll()]
    if listener.fileno() in ready:
        conn, _ = listener.accept()
        conns[conn.fileno()] = conn
        epoll.register(conn.fileno(), select.EPOLLIN)
    for fd in [fd for fd in ready if fd in conns]:
        path = conns[fd].recv(1000).split()[1].decode()
        if path == "/first":
            first = conns[fd]
            threading.Thread(target=ring).start()
            print("begins /first", flush=True)
            while not os.path.exists(sys.argv[1]):
                time.sleep(0.01)
            time.sleep(0.1)
        else:
            answers.append(conns[fd])
    if bell in ready:
        os.read(bell, 8)
        woken += 1
        print("ends /first", flush=True)
    for conn in answers:
        conn.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    answers = []
first.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
time.sleep(60)
"""
BELLS = {"eventfd": "bell = os.eventfd(0)\ndef ring(): os.eventfd_write(bell, 1)",
         "pipe": 'bell, end = os.pipe()\ndef ring(): os.write(end, b"x")'}


def test_loop_that_is_woken(t):
    """A loop reads one request, is told that the work for another one is done, says so, and answers the first: a line of nobody."""
    for kind, bell in BELLS.items():
        server = t.start(lib.PYTHON, t.write(f"{kind}.py", WOKEN_LOOP.replace("BELL", bell)), t.path(f"{kind}.go"))
        port = int(wait_for(lambda: server.out.strip(), lambda: f"the server: {server.err}"))
        zerospan = observer.observe(t, "--logs", "--pid", server.pid)
        second, first = Client(port), Client(port)
        first.send(request_bytes("GET", "/first"))
        wait_for(lambda: "begins" in server.out, "the first request to be read")
        second.send(request_bytes("GET", "/second"))
        t.write(f"{kind}.go", "")
        equal(second.read_response().status, 200, "status")
        equal(first.read_response().status, 200, "status")
        spans = {s.span_id: s for s in zerospan.finish()}
        for text in ("begins /first", "ends /first"):
            line = zerospan.wait_log(text)
            check(not line.span_id or spans[line.span_id].get("url.path") == "/first",
                  f"{kind}: {line} is of the other one")
