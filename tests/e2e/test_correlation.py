# SPDX-License-Identifier: Apache-2.0
"""Whose child is it, when many requests are in service at once: correct, orphan and wrong per model.

The truth is in the requests. Each checkout carries a traceparent with a trace id of its own, so a
span's trace id says which checkout zerospan thinks it belongs to. Which one it really belongs to is
known in two ways:

  by outcome   the shop calls itself; items are mixed so that checkouts need different spans (an
               unknown item: SELECT without a row and no UPDATE). A span too much in a trace is wrong,
               one that is missing there must be found as an orphan.
  by status    the inventory is ours. It answers each order with a status code of its own, after a
               time of its own: the call's span shows the code, and statements before and after the
               call must lie before and after it in time.

An orphan is a gap, a wrong parent is a lie: wrong must be 0.
"""
import collections
import http.server
import json
import random
import socketserver
import threading
import time

import lib
import observer
from lib import check, equal
from observer import tree
from shop import MODELS, Shop, order

PARALLEL = 16
ROUNDS = 8
CLOCK_NS = 3_000_000  # two readings of the wall clock in two programs

# (kind, name, rows or status) of what stands below a checkout, by item
BEGIN = [("CLIENT", "INSERT orders", 0)]
END = [("CLIENT", "UPDATE orders", 0)]


def call(status):
    return [("CLIENT", "POST /inventory/deduct", status), ("SERVER", "POST /inventory/deduct", status)]


EXPECTED = {
    "headphones": BEGIN + call(200) + [("CLIENT", "SELECT inventory", 1),
                                       ("CLIENT", "UPDATE inventory", 0)] + END,
    "unicorn": BEGIN + call(400) + [("CLIENT", "SELECT inventory", 0)] + END,
    "limited-edition": BEGIN + call(400) + [("CLIENT", "SELECT inventory", 1)] + END,
    "smartphone": BEGIN + call(200) + [("CLIENT", "SELECT inventory", 1),
                                       ("CLIENT", "UPDATE inventory", 0)] + END,
}
ORDERS = {"headphones": 1, "unicorn": 1, "limited-edition": 6, "smartphone": 3}


def is_work(span):
    """A store is opened, with a PRAGMA, when a thread first needs one: that belongs to whoever
    happened to be first, and the truth is not known here."""
    return not span.name.startswith("PRAGMA")


def key(span):
    rows = span.get("db.response.returned_rows")
    return span.kind, span.name, span.get("http.response.status_code") if rows is None else rows


class Crew:
    """Clients that each send their orders on a connection of their own, all at the same moments."""

    def __init__(self, shop, orders):
        """orders: per round a list with one (item, quantity) per client."""
        self.answers = {}  # trace id: (item, quantity, Response)
        self.errors = []
        self.barrier = threading.Barrier(len(orders[0]))
        self.threads = [threading.Thread(target=self._work, daemon=True,
                                         args=(shop, n, [row[n] for row in orders]))
                        for n in range(len(orders[0]))]

    def _work(self, shop, number, orders):
        try:
            client = shop.client()
            for turn, (item, quantity) in enumerate(orders):
                trace = f"{turn + 1:016x}{number + 1:016x}"
                self.barrier.wait(30)
                answer = client.post_json("/checkout", order(item, quantity),
                                          [("traceparent", f"00-{trace}-{'e' * 16}-01")])
                self.answers[trace] = item, quantity, answer
        except Exception as error:  # noqa: BLE001 told by run()
            self.errors.append(error)
            self.barrier.abort()

    def run(self):
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join(60)
        check(not self.errors, f"a client failed: {self.errors[:1]}")
        return self.answers


class Score:
    def __init__(self):
        self.correct = self.orphan = self.wrong = 0
        self.lies = []

    def lie(self, text):
        self.wrong += 1
        self.lies.append(text)

    def conclude(self, t, what, parallel=PARALLEL):
        t.note(f"{what}, {parallel} at once: correct {self.correct}, orphan {self.orphan}, "
               f"wrong {self.wrong}")
        check(self.wrong == 0, f"{what}: {self.wrong} spans have a wrong parent, for example\n"
              + "\n".join(self.lies[:3]))


# --- by outcome


def by_outcome(t, model, times=1):
    """times: so many clients for each one of PARALLEL."""
    random.seed(model)
    items = [item for item in ("headphones", "unicorn", "limited-edition") for _ in range(5)]
    orders = []
    for turn in range(ROUNDS):
        row = (items + ["smartphone" if turn % 4 == 0 else "unicorn"]) * times
        random.shuffle(row)
        orders.append([(item, ORDERS[item]) for item in row])
    shop = Shop(t, model, "--journal", "wal")
    zerospan = observer.observe(t, "--pid", shop.pid)
    answers = Crew(shop, orders).run()
    zerospan.wait_spans(len(answers), url__path="/checkout")
    spans = [s for s in zerospan.finish() if is_work(s)]
    equal(zerospan.summary().lost, 0, "losses")
    return score_outcomes(answers, spans)


def score_outcomes(answers, spans):
    score, traces = Score(), collections.defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    lacking = collections.Counter()
    for trace, (item, _, answer) in answers.items():
        mine = traces.pop(trace, [])
        roots = [s for s in mine if s.get("url.path") == "/checkout"]
        check(len(roots) == 1, f"{len(roots)} checkouts in trace {trace}")
        equal(roots[0].get("http.response.status_code"), answer.status, "status of a checkout")
        want = collections.Counter(EXPECTED[item])
        have = collections.Counter(key(s) for s in mine if s is not roots[0])
        score.correct += sum((want & have).values())
        lacking += want - have
        for extra in (have - want).elements():
            score.lie(f"{extra} in the trace of an order of {item}:\n{tree(mine)}")
        places(score, mine, roots[0])
    orphans = collections.Counter(key(s) for rest in traces.values() for s in rest)
    orphans = collections.Counter({k: n for k, n in orphans.items()
                                   if k[1].split(" ")[-1] in ("orders", "inventory",
                                                              "/inventory/deduct")})
    equal(orphans, lacking, "spans that are nowhere, or twice: orphans and what traces lack")
    score.orphan = sum(orphans.values())
    return score


def places(score, spans, root):
    """Inside a trace: orders' statements and the call below the checkout, the rest below the
    deduction, times included."""
    ids = {s.span_id: s for s in spans}
    for span in spans:
        parent = ids.get(span.parent_id)
        if span is root or not parent:
            continue
        if span.name.endswith("inventory") or (span.kind, span.name) == ("SERVER",
                                                                         "POST /inventory/deduct"):
            good = parent.name == "POST /inventory/deduct"
        else:
            good = parent is root
        if not good:
            score.correct -= 1
            score.lie(f"{span} stands below {parent}")


@lib.deadline(120)
def test_thread_per_connection_by_outcome(t):
    score = by_outcome(t, MODELS[0])
    score.conclude(t, MODELS[0])
    equal(score.orphan, 0, "orphans, where each request has a thread of its own")


@lib.deadline(120)
def test_pool_by_outcome(t):
    score = by_outcome(t, MODELS[1])
    score.conclude(t, MODELS[1])
    equal(score.orphan, 0, "orphans, where a worker serves one request at a time")


@lib.deadline(120)
def test_pool_beyond_its_workers(t):
    """Checkouts wait until a worker is free, which is another one than has read them: their statements may be orphans."""
    by_outcome(t, MODELS[1], times=3).conclude(t, MODELS[1], 3 * PARALLEL)


@lib.deadline(120)
def test_event_loop_by_outcome(t):
    """Orphans are allowed here: the thread serves them all."""
    by_outcome(t, MODELS[2]).conclude(t, MODELS[2])


# --- by status


class Inventory:
    """Answers the n-th quantity of a round with status 400 + n after n * 3 ms and a little."""

    def __init__(self, test):
        self.calls = {}  # quantity: (received, sent), time.time_ns()
        inventory = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self):
                quantity = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["quantity"]
                received = time.time_ns()
                time.sleep(0.005 + 0.003 * (quantity * 7 % PARALLEL))  # its pace
                inventory.calls[quantity] = received, time.time_ns()
                self.send_response(400 + quantity % 100)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")
                self.wfile.flush()

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        test.cleanup(self.server.shutdown)


def by_status(t, model, parallel=PARALLEL):
    inventory = Inventory(t)
    shop = Shop(t, model, "--journal", "wal", "--inventory-url", inventory.url)
    zerospan = observer.observe(t, "--pid", shop.pid)
    random.seed(model)
    orders = []
    for turn in range(ROUNDS):
        numbers = list(range(1, parallel + 1))
        random.shuffle(numbers)
        orders.append([("headphones", 100 * (turn + 1) + n) for n in numbers])
    answers = Crew(shop, orders).run()
    zerospan.wait_spans(len(answers), url__path="/checkout")
    spans = [s for s in zerospan.finish() if is_work(s)]
    equal(zerospan.summary().lost, 0, "losses")
    return score_statuses(answers, spans, inventory)


def score_statuses(answers, spans, inventory):
    score, seen = Score(), collections.Counter()
    roots = {s.trace_id: s for s in spans if s.get("url.path") == "/checkout"}
    equal(set(roots), set(answers), "trace ids of the checkouts")
    for span in spans:
        if span is roots.get(span.trace_id):
            equal(span.get("http.response.status_code"), 400 + answers[span.trace_id][1] % 100,
                  "status of the checkout itself")
            continue
        seen[span.name] += 1
        if span.trace_id not in answers:
            score.orphan += 1
            continue
        _, quantity, _ = answers[span.trace_id]
        received, sent = inventory.calls[quantity]
        if span.kind == "CLIENT" and span.get("http.response.status_code") is not None:
            good = span.get("http.response.status_code") == 400 + quantity % 100
        elif span.name == "INSERT orders":
            good = span.end <= received + CLOCK_NS
        else:
            good = span.start >= sent - CLOCK_NS
        if good:
            score.correct += 1
        else:
            score.lie(f"{span} in the trace of {400 + quantity % 100}")
    for name in ("INSERT orders", "POST /inventory/deduct", "UPDATE orders"):
        equal(seen[name], len(answers), f"number of {name}")
        doubles = collections.Counter(s.trace_id for s in spans if s.name == name)
        for trace, count in doubles.items():
            if count > 1:
                score.lie(f"{count} times {name} in trace {trace}")
    return score


@lib.deadline(120)
def test_thread_per_connection_by_status(t):
    score = by_status(t, MODELS[0])
    score.conclude(t, MODELS[0])
    equal(score.orphan, 0, "orphans, where each request has a thread of its own")


@lib.deadline(120)
def test_pool_by_status(t):
    score = by_status(t, MODELS[1])
    score.conclude(t, MODELS[1])
    equal(score.orphan, 0, "orphans, where a worker serves one request at a time")


@lib.deadline(120)
def test_event_loop_by_status(t):
    by_status(t, MODELS[2]).conclude(t, MODELS[2])


@lib.deadline(120)
def test_event_loop_rising(t):
    """One request at a time leaves no doubt."""
    for parallel in (1, 2, 4, 8):
        score = by_status(t, MODELS[2], parallel)
        score.conclude(t, MODELS[2], parallel)
        check(parallel > 1 or score.orphan == 0, "orphans although one request was served at a time")


@lib.deadline(120)
def test_wrong_is_found(t):
    """The judge itself: spans given to a neighbour's trace do not pass."""
    shop = Shop(t, MODELS[0], "--journal", "wal")
    zerospan = observer.observe(t, "--pid", shop.pid)
    answers = Crew(shop, [[("headphones", 1), ("unicorn", 1)]]).run()
    zerospan.wait_spans(2, url__path="/checkout")
    spans = [s for s in zerospan.finish() if is_work(s)]
    equal(score_outcomes(answers, spans).wrong, 0, "wrong as it is")
    update = next(s for s in spans if s.name == "UPDATE inventory")
    update.trace_id = next(s.trace_id for s in spans if s.trace_id != update.trace_id)
    try:
        wrong = score_outcomes(answers, spans).wrong
    except lib.Failure:
        wrong = 1
    check(wrong > 0, "a span in another checkout's trace was not noticed")
