# SPDX-License-Identifier: Apache-2.0
"""In what slow requests wait: the stack of their thread, and of those that never end, what they wait in right now."""
import json
import os
import re
import signal
import threading
import time

import lib
import observer
import truth
from http_raw import Client
from lib import check, equal, wait_for
from shop import MODELS, Shop, is_server, order
from test_record import expect_identical, record

# A server with a thread per connection, whose answers do as BODY says first.
THREADS = """
import http.server, threading, time
lock = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        BODY
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def threads(*body):
    return THREADS.replace("BODY", "\n        ".join(body))


# /sleep/MS sleeps so long; /hang waits for a lock that nobody gives back, least of all the first one.
SERVER = threads('if self.path.startswith("/sleep/"): time.sleep(int(self.path[7:]) / 1000)',
                 'if self.path == "/hang": [lock.acquire() for _ in "12"]')
# /short/MS sleeps MS times a millisecond.
SHORT = threads('if self.path.startswith("/short/"): [time.sleep(0.001) for _ in range(int(self.path[7:]))]')
# Each /hold says that it has the lock, for 500 ms.
HOLDER = threads('with lock:', '    if self.path == "/hold": print("held", flush=True); time.sleep(0.5)')
# /burn needs 60 ms of CPU time.
BURNER = threads('end = time.thread_time() + 0.06', 'while time.thread_time() < end: pass')

# One thread, many connections, and a pool of database connections that has run dry: /work waits for one, with the loop. It says what it reads.
LOOP = """
import queue, selectors, socket
pool = queue.Queue()
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
loop = selectors.DefaultSelector()
loop.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in loop.select():
        if key.fileobj is listener:
            loop.register(listener.accept()[0], selectors.EVENT_READ)
            continue
        request = key.fileobj.recv(65536).decode()
        print(request[:12], flush=True)
        if "GET /work" in request:
            pool.get()
"""


# What hangs has waited so long for its lock before it is judged.
HANG_S = 1.5


class Server:
    """A Python program that writes its port first."""

    def __init__(self, t, text, *by):
        self.process = t.start(*by, lib.PYTHON, t.write("server.py", text))
        self.port = int(wait_for(lambda: self.process.out.partition("\n")[0], "the server to listen"))
        self.pid = self.process.pid

    def leave_open(self, *targets):
        """Requests of which no answer is awaited; their connections."""
        clients = [Client(self.port) for _ in targets]
        for client, target in zip(clients, targets):
            client.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return clients


def observe(t, server, *args):
    zerospan = observer.start(t, "trace", "--format", "otlp-json", "--pid", server.pid, *args)
    zerospan.wait_ready()
    return zerospan


def told_open(zerospan):
    """What it says is open, when it is asked."""
    before = zerospan.err.count("requests and calls that are open")
    os.kill(zerospan.pid, signal.SIGUSR1)
    wait_for(lambda: zerospan.err.count("requests and calls that are open") > before, "an answer to SIGUSR1")
    return zerospan.err.rpartition("requests and calls that are open")[2]


def when_told(zerospan, fits, what):
    """What it says is open once that fits."""
    told = []
    wait_for(lambda: fits(told.append(told_open(zerospan)) or told[-1]), lambda: f"{what}; it says{told[-1]}")
    return told[-1]


def lock_seconds(path, text):
    """How long each open request for it has waited for a lock, of those for which that is seconds."""
    return [float(s) for s in re.findall(rf"GET {path}  request of .* lock ([\d.]+) s", text)]


def wait_names(span, state, function, share):
    """The span's longest wait: its state, a function of its stack, and that it is so much of the span at least."""
    equal(span.get("zerospan.stack.state"), state, f"state of {span}")
    check(function in span.get("zerospan.stack.user"), f"{span}: {span.get('zerospan.stack.user')}")
    waited_ms = span.get("zerospan.stack.wait_ms")
    check(share * span.seconds <= waited_ms / 1000 <= span.seconds, f"{span} waited {waited_ms} ms")


@lib.deadline(60)
def test_sleeping_deduct(t):
    """A smartphone's deduction names the shop's sleep by function, file and line; its callers wait for it. Replayed, too."""
    shop = Shop(t)
    client = shop.client()
    zerospan = record(t, "--pid", shop.pid)
    client.post_json("/checkout", order("smartphone", 3))
    equal(zerospan.stop(), 0, "exit status")
    spans = [s for line in expect_identical(t, zerospan).splitlines() for s in observer.spans_of(json.loads(line))]
    deduct, = [s for s in spans if is_server(s, "/inventory/deduct")]
    wait_names(deduct, "sleep", "simulate_latency (shop.c:", 0.9)
    check(re.search(r"\nserve \(model_threads\.c:\d+\)\n(.*\n)*libc\.so\.6|\nstart_thread \(",
                    deduct.get("zerospan.stack.user")), deduct.get("zerospan.stack.user"))
    check("nanosleep" in deduct.get("zerospan.stack.kernel"), deduct.get("zerospan.stack.kernel"))
    for span in spans:
        if span is not deduct and span.seconds > 0.9:
            wait_names(span, "downstream", "inventory_client_post (inventory_client.c:", 0.3)
    checkout, = [s for s in spans if is_server(s, "/checkout")]
    equal([checkout.get(f"zerospan.culprit.{key}") for key in ("kind", "evidence", "process.pid")],
          ["downstream", "peer_span", shop.pid], "who held the checkout up")
    equal([(link["traceId"], link["spanId"]) for link in checkout.links], [(deduct.trace_id, deduct.span_id)],
          "link of the checkout")
    t.note(deduct.get("zerospan.stack.user").split("\n")[1])


@lib.deadline(90)
def test_every_model(t):
    """A thread that sleeps is found whether it has read the request or was handed it; a loop's timer is no thread that waits."""
    for model, sleeps in zip(MODELS, (True, True, False)):
        shop = Shop(t, model, name=model)
        client = shop.client()
        zerospan = observe(t, shop)
        client.post_json("/checkout", order("smartphone", 3))
        equal(zerospan.stop(), 0, "exit status")
        slept = [s for s in zerospan.spans() if is_server(s, "/inventory/deduct")]
        equal(len(slept), 1, f"deductions with {model}")
        if sleeps:
            wait_names(slept[0], "sleep", "simulate_latency (shop.c:", 0.9)
        else:
            check("zerospan.stack.state" not in slept[0].attrs, f"{model}: {slept[0].attrs}")


@lib.deadline(60)
def test_default_threshold(t):
    """Without being told zerospan looks at requests that last longer than 10 ms."""
    server = Server(t, SERVER)
    zerospan = observe(t, server)
    client, slow_ms = Client(server.port), observer.looked_at_ms(150)
    for ms in (5, slow_ms) * 5:
        equal(client.get(f"/sleep/{ms}").status, 200, "status")
    equal(zerospan.stop(), 0, "exit status")
    spans = zerospan.spans()
    equal(len(spans), 10, "requests")
    fast = [s for s in spans if s.seconds < 0.01]
    t.note(f"{len(fast)} of 5 were fast")  # which a slow machine may not allow
    for span in fast:
        check("zerospan.stack.state" not in span.attrs, f"{span}: {span.attrs}")
    for span in (s for s in spans if s.get("url.path") == f"/sleep/{slow_ms}"):
        wait_names(span, "sleep", "clock_nanosleep", 0.9 * slow_ms / 1000 / span.seconds)


@lib.deadline(60)
def test_threshold(t):
    """Requests beyond --stack-over are looked at, faster ones are not."""
    server = Server(t, SERVER)
    client = Client(server.port)
    for over_ms, fast_ms, slow_ms in ((10, 0, observer.looked_at_ms(150)), (400, 100, observer.looked_at_ms(900))):
        zerospan = observe(t, server, "--stack-over", f"{over_ms}ms")
        for ms in (fast_ms, slow_ms):
            equal(client.get(f"/sleep/{ms}").status, 200, "status")
        equal(zerospan.stop(), 0, "exit status")
        fast, slow = sorted(zerospan.spans(), key=lambda span: span.start)
        wait_names(slow, "sleep", "clock_nanosleep", 0.9 * slow_ms / 1000 / slow.seconds)
        if fast.seconds < over_ms / 1000:
            check("zerospan.stack.state" not in fast.attrs, f"{fast}: {fast.attrs}")
        else:
            t.note(f"beyond {over_ms} ms were both: {fast}")


@lib.deadline(60)
def test_server_that_hangs(t):
    """Two requests wait for a lock for ever: asked by a signal, and at the end, zerospan tells for how long and where."""
    server = Server(t, SERVER)
    zerospan = observe(t, server)
    check("none" in told_open(zerospan), "nothing is open")
    clients = server.leave_open("/hang", "/hang")
    text = when_told(zerospan, lambda text: [s > HANG_S for s in lock_seconds("/hang", text)] == [True] * 2 and
                     text.count("PyThread_acquire_lock_timed") == 2, "both requests to hang, and their stacks")
    equal(text.count("request of"), 2, f"requests in\n{text}")
    equal(zerospan.stop(), 0, "exit status")
    cut = [s for s in zerospan.spans() if s.get("url.path") == "/hang"]
    equal(len(cut), 2, "spans of the requests")
    for span in cut:
        wait_names(span, "lock", "PyThread_acquire_lock_timed", 0.9 * HANG_S / span.seconds)
        check(span.get("zerospan.time.lock_ms") >= HANG_S * 1000, f"{span}: {span.attrs}")
    for client in clients:
        client.close()


@lib.deadline(60)
def test_loop_that_hangs(t):
    """An event loop that waits for a connection pool: what came before it and with it is open, and the lock is told."""
    server = Server(t, LOOP)
    zerospan = observe(t, server)
    clients = server.leave_open("/first", "/second")
    wait_for(lambda: told_open(zerospan).count("request of") == 2, "two requests to be told")
    clients += server.leave_open("/work")
    work = re.compile(r"GET /work  .*\n(?:   .*\n)*   .*PyThread_acquire_lock_timed")
    text = when_told(zerospan, lambda text: sum(lock_seconds("/work", text)) > HANG_S and work.search(text),
                     "the third one to hang, and its stack")
    equal(text.count("request of"), 3, f"requests in\n{text}")
    equal(zerospan.stop(), 0, "exit status")
    spans = {s.get("url.path"): s for s in zerospan.spans()}
    equal(set(spans), {"/first", "/second", "/work"}, "requests at the end")
    wait_names(spans["/work"], "lock", "PyThread_acquire_lock_timed", 0.9 * HANG_S / spans["/work"].seconds)
    truth.expect_sums(spans.values())
    for path in ("/first", "/second"):
        check(spans[path].get("zerospan.time.queued_ms") >= HANG_S * 1000, f"{path}: {spans[path].attrs}")
    for client in clients:
        client.close()


def told_where(metrics, **labels):
    """Where those requests wait that are open now; what was told before is 0."""
    return [(given["at"], value) for given, value in metrics.select("zerospan_open_requests", **labels) if value and "at" in given]


def hanging(metrics):
    """These, if they tell for which lock the loop waits, and that it has waited long enough."""
    lock_s = metrics.sum("zerospan_open_request_time_seconds", http_route="/work", state="lock")
    return metrics if lock_s > HANG_S and told_where(metrics, http_route="/work") else None


def sample(zerospan, name, **labels):
    return [value for given, value in zerospan.metrics().select(name, **labels)]


@lib.deadline(60)
def test_loop_that_hangs_in_metrics(t):
    """The request for which a loop hangs has its age, its ledger and where it waits in /metrics; those before it are queued."""
    server = Server(t, LOOP)
    zerospan = observer.observe_run(t, "--pid", server.pid)
    clients = server.leave_open("/first", "/second")
    wait_for(lambda: sum(sample(zerospan, "zerospan_open_requests")) == 2, "two requests to be told")
    clients += server.leave_open("/work")
    seconds = "zerospan_open_request_time_seconds"
    metrics = wait_for(lambda: hanging(zerospan.metrics()), "the third one to hang")
    (where, count), = told_where(metrics, http_route="/work")
    equal((count, metrics.sum("zerospan_open_requests", http_route="/work")), (1, 1), "open requests for /work")
    check("PyThread_acquire_lock_timed" in where, where)
    age_s = metrics.sum("zerospan_open_request_age_seconds", http_route="/work")
    lock_s = metrics.sum(seconds, http_route="/work", state="lock")
    check(lock_s <= age_s, f"of {age_s} s in {lock_s} s for a lock")
    for path in ("/first", "/second"):
        check(metrics.sum(seconds, http_route=path, state="queued") > HANG_S, f"{path} is not queued")
    equal(zerospan.stop(), 0, "exit status")
    for client in clients:
        client.close()


@lib.deadline(60)
def test_metrics(t):
    """What is slow and open stands in /metrics, and is 0 once it is over."""
    server = Server(t, SERVER)
    zerospan = observer.start(t, "run", "--listen", "127.0.0.1:0", "--pid", server.pid)
    zerospan.wait_ready()

    sleeper = threading.Thread(target=lambda: Client(server.port).get(f"/sleep/{round(6000 * lib.SLOWNESS)}"))
    sleeper.start()
    wait_for(lambda: sum(sample(zerospan, "zerospan_open_requests", http_route="/sleep/{id}")) == 1, "the request to be told")
    wait_for(lambda: max(sample(zerospan, "zerospan_open_request_age_seconds"), default=0) > 1, "it to be a second old")
    wait_for(lambda: max(sample(zerospan, "zerospan_open_request_time_seconds", state="sleep"), default=0) > 1,
             "it to have slept a second")
    wait_for(lambda: any("python3" in where for where, _ in told_where(zerospan.metrics())), "where it sleeps to be told")
    sleeper.join()
    wait_for(lambda: sum(sample(zerospan, "zerospan_open_requests")) == 0, "it to be over")
    check(sum(sample(zerospan, "zerospan_stacks_total", outcome="told")) >= 1, "stacks told")
    equal(zerospan.stop(), 0, "exit status")


@lib.deadline(60)
def test_lock_that_is_given_back(t):
    """Who waits for a lock names the thread that gave it back, where it did, and the request that it served."""
    server = Server(t, HOLDER)
    zerospan = observe(t, server)
    for held in range(3):
        holder = threading.Thread(target=lambda: Client(server.port).get("/hold"))
        holder.start()
        wait_for(lambda: server.process.out.count("held") > held, "the lock to be held")
        equal(Client(server.port).get("/wait").status, 200, "status")
        holder.join()
    equal(zerospan.stop(), 0, "exit status")
    holds = {s.span_id: s for s in zerospan.spans() if s.get("url.path") == "/hold"}
    waits = [s for s in zerospan.spans() if s.get("url.path") == "/wait"]
    equal((len(holds), len(waits)), (3, 3), "requests")
    # A slow machine may be too late for the first one, and where it waited for a CPU the most, that is told instead.
    named = [s for s in waits if s.get("zerospan.culprit.kind") == "lock"]
    check(len(named) == 3 or (named and lib.SLOWNESS > 1), f"{[s.attrs for s in waits]}")
    for span in named:
        equal(span.get("zerospan.culprit.evidence"), "woken_by", f"{span}")
        equal(span.get("zerospan.culprit.process.pid"), server.pid, f"{span}")
        check("sem_post" in span.get("zerospan.culprit.stack.user"), f"{span.attrs}")
        link, = span.links
        hold = holds[link["spanId"]]
        equal(link["traceId"], hold.trace_id, "trace of the culprit")
        equal(span.get("zerospan.culprit.request"), "GET /hold", "request of the culprit")
        check(hold.start < span.end and span.start < hold.end, f"{span} and {hold} were not open together")
    equal(len({s.links[0]["spanId"] for s in named}), len(named), "different culprits")


@lib.deadline(60)
def test_neighbours(t):
    """A request beyond --stack-over says what else its process did, open or finished; a replay says the same."""
    server = Server(t, SERVER)
    zerospan = record(t, "--pid", server.pid, "--stack-over", "150ms")
    path = f"/sleep/{round(2000 * lib.SLOWNESS)}"
    clients = server.leave_open(*[path] * 3)
    wait_for(lambda: told_open(zerospan).count("GET /sleep") == 3, "three to be open")
    equal(Client(server.port).get("/sleep/400").status, 200, "status")
    for client in clients:
        equal(client.read_response().status, 200, "status")
    equal(Client(server.port).get("/sleep/30").status, 200, "status")  # beside nothing, and not slow
    equal(zerospan.stop(), 0, "exit status")
    spans = [s for line in expect_identical(t, zerospan).splitlines() for s in observer.spans_of(json.loads(line))]
    by_path = {each: [s for s in spans if s.get("url.path") == each] for each in (path, "/sleep/400", "/sleep/30")}
    short, = by_path["/sleep/400"]
    equal(short.get("zerospan.neighbours.count"), 3, f"neighbours of {short.attrs}")
    check(re.fullmatch(r"3 × GET /sleep/{id} \(longest \d+ ms\)", short.get("zerospan.neighbours.top")), f"{short.attrs}")
    for span in by_path[path]:
        equal(span.get("zerospan.neighbours.count"), 3, f"neighbours of {span.attrs}")
    last, = by_path["/sleep/30"]
    equal(last.get("zerospan.neighbours.count"), None, f"neighbours of {last.attrs}")


@lib.deadline(60)
def test_first_slow_request(t):
    """Nothing was slow before it, and yet its span has both: in what it waited, and what its process did meanwhile."""
    server = Server(t, SERVER)
    zerospan = observe(t, server)
    path = f"/sleep/{observer.looked_at_ms(1500)}"
    slow, = server.leave_open(path)
    client = Client(server.port)
    for _ in range(4):
        equal(client.get("/quick").status, 200, "status")
    equal(slow.read_response().status, 200, "status")
    equal(zerospan.stop(), 0, "exit status")
    spans = zerospan.spans()
    first, = [s for s in spans if s.get("url.path") == path]
    wait_names(first, "sleep", "clock_nanosleep", 0.9 if lib.SLOWNESS == 1 else 0.5)
    equal(first.get("zerospan.neighbours.count"), 4, f"neighbours of {first.attrs}")
    check(first.get("zerospan.neighbours.top").startswith("4 × GET /quick (longest "), f"{first.attrs}")


@lib.deadline(60)
def test_first_slow_request_of_a_busy_server(t):
    """A wait that is not much longer than --stack-over is seen, though nothing was slow before it and others are served by the hundred."""
    server = truth.Server(t, "phases", t.dir)
    observers = [observe(t, server) for _ in range(5)]
    load = t.start(lib.tool("wrk", "wrk"), "-t1", "-c16", "-d2s", "-s", os.path.join(lib.HERE, "paced.lua"),
                   f"http://127.0.0.1:{server.port}/fast")
    time.sleep(1)
    slow_ms = observer.looked_at_ms(40)
    equal(server.client().get(f"/slow?sleep={slow_ms}").status, 200, "status")
    load.wait()
    named = []
    for zerospan in observers:
        equal(zerospan.stop(), 0, "exit status")
        slow, = [s for s in zerospan.spans() if s.get("url.path") == "/slow"]
        if slow.get("zerospan.stack.user"):
            wait_names(slow, "sleep", "clock_nanosleep", 0.5 * slow_ms / 1000 / slow.seconds)
            named.append(slow)
    fast = sum(s.get("url.path") == "/fast" for s in zerospan.spans())
    t.note(f"{len(named)} of {len(observers)} observers saw it wait, beside {fast} others")
    check(len(named) >= len(observers) - 1, f"{len(named)} saw it wait")  # one may not have got the CPU in time


@lib.deadline(60)
def test_many_short_waits(t):
    """Of slow requests that are slow by waits of a millisecond each the stack of one is told, beside hundreds that are fast."""
    server = Server(t, SHORT)
    zerospan = observe(t, server)
    load = t.start(lib.tool("wrk", "wrk"), "-t1", "-c4", "-d30s", "-s", os.path.join(lib.HERE, "paced.lua"),
                   f"http://127.0.0.1:{server.port}/fast")
    client = Client(server.port)
    for _ in range(20):
        equal(client.get(f"/short/{observer.looked_at_ms(30)}").status, 200, "status")
    load.popen.terminate()
    load.wait()
    equal(zerospan.stop(), 0, "exit status")
    slow = [s for s in zerospan.spans() if s.get("url.path").startswith("/short")]
    equal(len(slow), 20, "slow requests")
    sleeps = [s for s in slow if s.get("zerospan.stack.state") == "sleep"]  # others waited longer for the interpreter's lock
    for span in sleeps:
        wait_names(span, "sleep", "clock_nanosleep", 0)
    fast = sum(s.get("url.path") == "/fast" for s in zerospan.spans())
    t.note(f"{len(sleeps)} of {len(slow)} tell in what they waited, beside {fast} others")
    check(len(sleeps) >= 10, f"{len(sleeps)} of {len(slow)} tell in what they waited")


@lib.deadline(60)
def test_mutex_that_is_kept(t):
    """A mutex of the C library names its owner: of a request that waits for it for ever, that thread and where it is are told."""
    server = truth.Server(t, "phases", t.dir)
    zerospan = observe(t, server)
    client = Client(server.port)
    client.send(b"GET /kept?lock=300000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    owner = re.compile(r"behind: phases thread \d+, at clock_sleep \(clocks\.c:\d+\)\n")
    when_told(zerospan, owner.search, "the owner and where it is to be told")
    equal(zerospan.stop(), 0, "exit status")
    span, = [s for s in zerospan.spans() if s.get("url.path") == "/kept"]
    equal(span.get("zerospan.culprit.evidence"), "mutex_owner", f"{span.attrs}")
    check("hold (partner.c:" in span.get("zerospan.culprit.stack.user"), f"{span.attrs}")
    client.close()


def call_culprit(t, observed, front):
    """What is told of a request to front that waits for an answer: its culprit and its link, and all spans."""
    zerospan = observer.observe(t, *[arg for server in observed for arg in ("--pid", server.pid)])
    truth.Crew(front, 1).ask([[("/slow", "downstream=60&sleep=10")]])
    spans = zerospan.finish()
    slow = observer.one(spans, "that waits", kind="SERVER", url__path="/slow")
    culprit = {key[len("zerospan.culprit."):]: value for key, value in slow.attrs.items() if key.startswith("zerospan.culprit.")}
    link, = slow.links
    return culprit, (link["traceId"], link["spanId"]), spans


@lib.deadline(60)
def test_answer_that_is_late(t):
    """A request that waits for another process's answer links to the request there and names it; of one that is not observed, to its own
    call."""
    behind = truth.Server(t, "phases", t.dir)
    front = truth.Server(t, "phases", t.dir, behind.port)
    culprit, link, spans = call_culprit(t, [front, behind], front)
    peer = observer.one(spans, "behind it", kind="SERVER", url__path="/down/slow")
    equal(peer.resource["process.pid"], behind.pid, "process of the request behind")
    equal(link, (peer.trace_id, peer.span_id), "link")
    equal(culprit, {"kind": "downstream", "evidence": "peer_span", "process.pid": behind.pid,
                    "service.name": peer.resource["service.name"]}, "culprit")
    culprit, link, spans = call_culprit(t, [front], front)
    call = observer.one(spans, "of the call", kind="CLIENT", name="GET /down/slow")
    equal(link, (call.trace_id, call.span_id), "link")
    equal(culprit, {"kind": "downstream", "evidence": "call_span"}, "culprit")


@lib.deadline(60)
def test_cpu_that_others_have(t):
    """Requests that wait for a CPU more than they have it name who runs there instead."""
    taskset = lib.tool("taskset", "util-linux")
    last = str(max(os.sched_getaffinity(0)))
    hogs = {t.start(taskset, "-c", last, lib.PYTHON, t.write("hog.py", "while True: pass")).pid for _ in range(3)}
    server = Server(t, BURNER, taskset, "-c", last)
    zerospan = observe(t, server)
    client = Client(server.port)
    for _ in range(8):
        equal(client.get("/burn").status, 200, "status")
    equal(zerospan.stop(), 0, "exit status")
    spans = [s for s in zerospan.spans() if s.get("url.path") == "/burn"]
    named = [s for s in spans if s.get("zerospan.culprit.kind") == "runqueue"]
    equal(len(spans), 8, "requests")
    check(len(named) >= 6, f"{[s.attrs for s in spans]}")
    for span in named:
        equal(span.get("zerospan.culprit.evidence"), "seen_running", f"{span}")
        check(0 < span.get("zerospan.culprit.share") <= 1, f"{span.attrs}")
    # Others may run there as well, on a busy machine.
    names = [s.get("zerospan.culprit.process.name") for s in named if s.get("zerospan.culprit.thread.id") in hogs]
    t.note(f"{len(names)} of {len(named)} name one of three hogs")
    check(names and set(names) == {"python3"}, f"{[s.attrs for s in named]}")


@lib.deadline(60)
def test_cpu_that_requests_have(t):
    """Requests that keep each other from the CPU name each other, and link to the one that had it when they were looked at."""
    server = truth.Server(t, "phases", t.dir)
    os.sched_setaffinity(server.pid, {max(os.sched_getaffinity(0))})
    zerospan = observe(t, server)
    truth.Crew(server, 4).ask([[(f"/{name}", "burn=150")] for name in ("a", "b", "c", "d")])
    equal(zerospan.stop(), 0, "exit status")
    spans = {s.span_id: s for s in zerospan.spans() if s.get("url.path") in ("/a", "/b", "/c", "/d")}
    equal(len(spans), 4, "requests")
    named = [s for s in spans.values() if s.get("zerospan.culprit.kind") == "runqueue"]
    others = [s for s in named if s.links]
    t.note(f"{len(named)} of 4 name a thread, {len(others)} a request")
    check(others, f"{[s.attrs for s in spans.values()]}")
    for span in others:
        link, = span.links
        check(link["spanId"] in spans and link["spanId"] != span.span_id, f"{span}: {link}")
        other = spans[link["spanId"]]
        equal(link["traceId"], other.trace_id, "trace of the culprit")
        equal(span.get("zerospan.culprit.request"), other.name, f"{span}")
        equal(span.get("zerospan.culprit.process.name"), "phases", f"{span}")
