# SPDX-License-Identifier: Apache-2.0
"""zerospan why: what an operator reads first, of programs that are slow or fail for known reasons."""
import contextlib
import json
import os
import re
import sqlite3
import subprocess
import threading
import time
import urllib.request

import lib
import observer
import truth
from lib import check, equal
from nginx import CONFIG
from shop import Shop

# Sleeps of 1.0 to 2.5 s, and what a busy machine may add.
SLEEP_S = (0.99, 3.0)


def report(process, seconds=40):
    """What it wrote once it has ended."""
    equal(process.wait(seconds), 0, f"exit status ({process.err})")
    return process.out


def verdict(text):
    """The findings: what stands before the confidence."""
    head, found, _ = text.partition("\nConfidence: ")
    check(found, f"no confidence in\n{text}")
    return head


def flat(text):
    return " ".join(text.split())


def seconds_of(text):
    number, unit = text.split()
    return float(number) * {"s": 1, "ms": 1e-3, "µs": 1e-6}[unit]


def expect_match(pattern, text):
    match = re.search(pattern, flat(text))
    check(match, f"'{pattern}' is not in\n{text}")
    return match


def load_shop(t, shop, seconds):
    return t.start(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--rate", 12,
                   "--duration", seconds, "--mix", "slow:2,conflict:4,headphones:6,welcome:2")


def fetch(url):
    """In a thread: one GET; answers that fail are answers."""
    def get():
        try:
            urllib.request.urlopen(url, timeout=20).read()
        except OSError:
            pass

    thread = threading.Thread(target=get, daemon=True)
    thread.start()
    return thread


@lib.deadline(90)
def test_shop(t):
    """The first lines name both troubles of the shop: the deductions that sleep, and those that meet the audit's lock."""
    shop = Shop(t)
    load_shop(t, shop, 30)
    text = report(observer.start(t, "why", "--pid", shop.pid, "--duration", 8))
    head = verdict(text)
    t.note(head.splitlines()[0])
    slept = expect_match(r"POST /inventory/deduct sleeps .*? (\d+) of (\d+) requests \([\d.]+ %\) slept "
                         r"([\d.]+ s) to ([\d.]+ s), mean [\d.]+ s, at simulate_latency \(shop\.c:\d+\)", head)
    check(int(slept[1]) < int(slept[2]), f"{slept[0]}")
    for duration in slept.group(3, 4):
        check(SLEEP_S[0] <= seconds_of(duration) <= SLEEP_S[1], f"slept {duration}")
    expect_match(r"Without it p9[59] would be [\d.]+ m?s instead of [\d.]+ s\.", head)
    expect_match(r"POST /checkout waits for it \(", head)
    expect_match(r"POST /inventory/deduct fails with 500 .*? UPDATE inventory got SQLITE_BUSY \(5\) from shop\.db", head)
    held = expect_match(r'The write lock was held by transactions? (\d+).*? \(BEGIN by "stock-audit", thread (\d+) '
                        r"of the same process\)", head)
    check(int(held[2]) in audit_threads(shop.pid), f"thread {held[2]} is not the audit")
    titles = [line for line in head.splitlines() if re.match(r"[12]\. ", line)]
    check(all("/inventory/deduct" in title for title in titles), f"the first two are {titles}")


def audit_threads(pid):
    found = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as f:
            if f.read().strip() == "stock-audit":
                found.append(int(tid))
    return found


@lib.deadline(90)
def test_json_agrees(t):
    """The same observation, replayed from its recording, as text and as JSON."""
    shop, path = Shop(t), t.path("why.zsrec")
    load_shop(t, shop, 30)
    live = report(observer.start(t, "why", "--pid", shop.pid, "--duration", 5, "--record", path))
    text = report(observer.start(t, "replay", "--format", "why", path))
    again = json.loads(report(observer.start(t, "replay", "--format", "why-json", path)))
    equal(verdict(text).split("\n\n")[1:], verdict(live).split("\n\n")[1:], "findings of the replay")
    counts = expect_match(r"in [\d.]+ s: (\d+) requests? .*?(\d+) failed", text)
    equal((again["requests"], again["failed"]), (int(counts[1]), int(counts[2])), "requests and failures")
    expect_match(f"Confidence: {again['confidence']}", text)
    equal(len(again["findings"]), len(re.findall(r"^\d\. ", verdict(text), re.M)), "number of findings")
    for number, finding in enumerate(again["findings"], 1):
        expect_match(re.escape(f"{number}. {finding['headline']}"), text)
        check(finding["requests"] <= finding["of"], f"{finding}")
    # One that is not over yet may sleep, too: it gives no answer.
    sleeps, = [f for f in again["findings"] if f.get("state") == "sleep" and f["headline"].endswith(" sleeps")]
    equal(sleeps["route"], "POST /inventory/deduct", "route that sleeps")
    check(sleeps["lost_percent"] > 50 and sleeps["max_ms"] < 3000, f"{sleeps}")
    for route in again["routes"]:
        states = sum(route["states_ms"].values())
        check(abs(states - route["total_ms"]) <= route["total_ms"] * 1e-3 + 0.01, f"{route}")
        check(route["p50_ms"] <= route["p95_ms"] <= route["p99_ms"] <= route["max_ms"], f"{route}")


def test_nothing_observed(t):
    """An idle process: said so, with what to check; in JSON too."""
    idle = t.start("/bin/sleep", 60)
    text = report(observer.start(t, "why", "--pid", idle.pid, "--duration", 1))
    expect_match(r"sleep \(pid \d+\) in [\d.]+ s: 0 requests Nothing was observed\. .*is there traffic\?", text)
    data = json.loads(report(observer.start(t, "why", "--pid", idle.pid, "--duration", 1, "--format", "json")))
    equal((data["requests"], data["findings"], data["confidence"]), (0, [], "none"), "report of nothing")
    check(data["nothing_observed"], "nothing is said")


def test_route(t):
    """--route leaves that route and what it waits for; a pattern that fits none is said to."""
    shop = Shop(t)
    load_shop(t, shop, 20)
    data = json.loads(report(observer.start(
        t, "why", "--pid", shop.pid, "--duration", 3, "--format", "json", "--route", "/checkout", "--slower-than", "900ms")))
    equal({route["route"] for route in data["routes"]}, {"POST /checkout", "POST /inventory/deduct"}, "routes")
    for route in data["routes"]:
        equal(route["slow"]["over_ms"], 900, "what is slow")
    text = report(observer.start(t, "why", "--pid", shop.pid, "--duration", 1, "--route", "/none"))
    expect_match("--route matches none of them", text)


@lib.deadline(60)
def test_sqlite_shell(t):
    """Two sqlite3 shells: the one that gives up names the other, with the statement's execution as what failed."""
    shell = lib.tool("sqlite3", "sqlite3")
    path = t.path("shared.db")
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t(a)")
    db.commit()
    db.close()
    go_on = t.path("go-on")
    process = observer.start(t, "why", "--", shell, path, ".timeout 400", "select * from t;",
                             f".system while [ ! -e {go_on} ]; do sleep 0.05; done", "insert into t values(2);")
    process.wait_ready()
    holder = t.start(shell, path, "begin immediate; insert into t values(1);", ".system sleep 20", "commit;")
    lib.wait_for(lambda: lib.children(holder.pid), "the holder to sleep with the lock")
    t.write("go-on", "")
    equal(process.wait(20), 5, "exit status, the shell's")
    head = verdict(process.out)
    expect_match(r"insert t \(shared\.db\) fails with SQLITE_BUSY \(5\)", head)
    expect_match(rf"1 of 1 execution \(100 %\).* after backing off for [\d.]+ m?s\. The write lock was held by .*\"sqlite3\", "
                 rf"thread {holder.pid} of process {holder.pid}", head)


def test_nginx_throttled(t):
    """limit_rate: the requests sleep, all of them, and no other does."""
    program = lib.tool("nginx", "nginx-light")
    port = lib.free_port()
    limit = "location /slow { limit_rate 50k; } location = /hello {"
    config = CONFIG.replace("location = /hello {{", limit.replace("{", "{{").replace("}", "}}"))
    os.makedirs(t.path("www/slow"))
    for folder in (t.path("www"), t.path("www/slow")):
        os.chmod(folder, 0o755)
    t.write("www/slow/file", b"x" * 100_000)
    nginx = t.start(program, "-e", t.path("nginx-error.log"), "-c", t.write("nginx.conf", config.format(
        dir=t.dir, port=port, connections=64, files=128)))
    lib.wait_for(lambda: lib.listens(port), lambda: f"nginx to listen: {nginx.err}")
    process = observer.start(t, "why", "--pid", nginx.pid, "--duration", 5)
    process.wait_ready()
    requests = [fetch(f"http://127.0.0.1:{port}/{path}") for path in ["slow/file"] * 4 + ["hello"] * 20]
    head = verdict(report(process))
    for request in requests:
        request.join()
    slept = expect_match(r"1\. GET /slow/file sleeps .* 4 of 4 requests \(100 %\) slept ([\d.]+ m?s)", head)
    check(seconds_of(slept[1]) > 0.8, f"{slept[0]}")
    check("GET /hello" not in head, f"/hello is blamed in\n{head}")


def slow_disk(t, sync_ms):
    """A directory that takes so long for each sync."""
    lib.python_module("fusepy", "python3-fusepy")
    if not os.path.exists("/dev/fuse"):
        raise lib.Skip("no /dev/fuse: this kernel or container has no file systems in user space")
    below, mount = t.path("below"), t.path("slow")
    for folder in (below, mount):
        os.mkdir(folder)
    t.cleanup(lambda: subprocess.run(["umount", "-l", mount], capture_output=True, check=False))
    disk = t.start(lib.PYTHON, os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow_disk.py"),
                   below, mount, sync_ms)
    lib.wait_for(lambda: os.path.ismount(mount), lambda: f"the file system: {disk.err}")
    return mount


@lib.deadline(60)
def test_slow_disk(t):
    """A disk that takes 20 ms for each sync, on a slow machine longer: before anything else that checkouts wait for it, in which statements, by which call, and
    on which line of the shop."""
    sync_ms = 20 * lib.SLOWNESS
    shop = Shop(t, "thread-per-connection", "--database", os.path.join(slow_disk(t, sync_ms), "shop.db"))
    t.start(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--rate", 2 / lib.SLOWNESS, "--duration",
            20 * lib.SLOWNESS, "--mix", "headphones:1")
    text = report(observer.start(t, "why", "--pid", shop.pid, "--duration", 6 * lib.SLOWNESS))
    head = verdict(text)
    t.note(head.splitlines()[0])
    first, _, second = head.partition("\n2. ")
    waited = expect_match(r"1\. POST /checkout waits for the disk · (\d+) % of the time lost .* requests \([\d.]+ %\) waited "
                          r"([\d.]+ m?s)(?: to .*?)?, in (?:INSERT|UPDATE) orders \(\d+ %\), (?:INSERT|UPDATE) orders \(\d+ %\), "
                          r"in fdatasync at \w+ \(store\.c:\d+\)\.", first)
    check(int(waited[1]) > 40, f"{waited[0]}")
    least_s = 4 * sync_ms / 1000 - 0.001  # what is told is rounded
    check(seconds_of(waited[2]) >= least_s, f"{waited[0]}: two statements, two syncs each at least")
    expect_match(r"POST /inventory/deduct waits for the disk .*, in UPDATE inventory, in fdatasync at", second)
    stack = expect_match(r"disk [\d.]+ m?s in \d+ requests of POST /checkout fdatasync \(.*? kernel: ", text)
    check(re.search(r"▸ run \(store\.c:\d+\) .*store_\w+ \(store\.c:\d+\)", stack[0]), f"{stack[0]}")


LOCK_SERVER = """
import http.server, socketserver, threading, time
lock = threading.Lock()

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/locked":
            with lock:
                time.sleep(0.05)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def test_python_lock(t):
    """Ten requests at once for a lock that each holds 50 ms: most of the time is lost waiting for it."""
    server = t.start(lib.PYTHON, t.write("server.py", LOCK_SERVER))
    port = int(lib.wait_for(lambda: server.out.strip(), lambda: f"the server: {server.err}"))
    process = observer.start(t, "why", "--pid", server.pid, "--duration", 4)
    process.wait_ready()
    for _ in range(4):
        for request in [fetch(f"http://127.0.0.1:{port}/locked") for _ in range(10)]:
            request.join()
        time.sleep(0.05)
    head = verdict(report(process))
    expect_match(r"1\. GET /locked waits for a lock .* 2\. GET /locked sleeps", head)
    expect_match(r"woken by (several threads, )?\"python3[^\"]*\".*, serving GET /locked", head)
    expect_match(r"overlapped with [\d.]+ other GET /locked of the process", head)


@lib.deadline(60)
def test_cpu_that_requests_have(t):
    """Requests that keep each other from the one CPU say so, and which of them had it instead."""
    server = truth.Server(t, "phases", t.dir)
    os.sched_setaffinity(server.pid, {max(os.sched_getaffinity(0))})
    process = observer.start(t, "why", "--pid", server.pid, "--duration", 5)
    process.wait_ready()
    crew = truth.Crew(server, 4)
    for _ in range(2):
        crew.ask([[(f"/{name}", "burn=150")] for name in ("a", "b", "c", "d")])
    head = verdict(report(process))
    for number in range(1, 5):
        expect_match(rf"{number}\. GET /[abcd] waits for a CPU ", head)
    had = re.findall(r'GET /([abcd]) waits for a CPU (?:(?!\d\. GET ).)*The CPU had (?:several threads, )?"phases"(?:, thread \d+)?, serving GET '
                     r"/([abcd])(?:, in \d of them)?; evidence: it was seen on the CPU most often when they could have run\.",
                     flat(head))
    t.note(f"waits for whom: {had}")
    check(had, f"no request is named in\n{head}")
    check(all(waiter != other for waiter, other in had), f"{had}")
