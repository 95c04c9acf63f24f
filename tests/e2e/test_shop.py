# SPDX-License-Identifier: Apache-2.0
"""The shop's other answers: slow, refused, in conflict, unreachable, wrong."""
import socket
import struct

import lib
import observer
from http_raw import request_bytes
from lib import check, equal
from observer import descendants, one, tree
from shop import COMPLETE, MODELS, SCHEDULER_NS, Shop, expect_shape, expect_times, order

RUNS_TOGETHER = True

REFUSED_IN_FIRST_QUERY = [*COMPLETE[:5], COMPLETE[6]]


def watched(t, *args):
    shop = Shop(t, *args)
    return shop, observer.observe(t, "--pid", shop.pid)


def checkout(zerospan, shop, *what, n=1):
    """Send one checkout; the answer, and its trace's spans once it is there."""
    answer = shop.client().post_json("/checkout", order(*what))
    root = zerospan.wait_spans(n, url__path="/checkout")[-1]
    return answer, [s for s in zerospan.spans() if s.trace_id == root.trace_id]


def test_slow_smartphone(t):
    """The second of sleep is in the spans around it, and in no statement."""
    for model in MODELS:
        shop, zerospan = watched(t, model)
        answer, spans = checkout(zerospan, shop, "smartphone", 3)
        equal(answer.status, 200, f"{model}: checkout")
        root, insert, call, deduct, select, update, complete = expect_shape(spans, COMPLETE)
        expect_times(spans)
        for span in (root, call, deduct):
            check(1.0 <= span.seconds <= answer.seconds + SCHEDULER_NS / 1e9,
                  f"{model}: {span} should last 1 s to {answer.seconds:.2f} s")
        for span in (insert, select, update, complete):
            check(span.seconds < 0.8, f"{model}: {span} does not sleep")
        check(select.start - deduct.start >= 1_000_000_000, f"{model}: the sleep is before SELECT")
        zerospan.finish()


@lib.deadline(90)
def test_conflict(t):
    """A real SQLITE_BUSY: 500 for the deduction and for the checkout, the UPDATE says 5."""
    shop, zerospan = watched(t)
    for n in range(1, 30):
        answer, spans = checkout(zerospan, shop, "laptop", 2, n=n)
        if answer.status == 500:
            break
        equal(answer.status, 200, "checkout")
        expect_shape(spans, COMPLETE)
    equal(answer.status, 500, "no conflict in 29 orders; status")
    root, insert, call, deduct, select, update, failed = expect_shape(spans, COMPLETE)
    for span in (root, call, deduct):
        equal(span.get("http.response.status_code"), 500, f"status of {span}")
        equal(span.status, "ERROR", f"span status of {span}")
        equal(span.get("error.type"), "500", f"error.type of {span}")
    equal(update.get("db.response.status_code"), "5", "SQLite's code of the UPDATE")
    equal(update.get("error.type"), "5", "error.type of the UPDATE")
    equal(update.status, "ERROR", "status of the UPDATE")
    for span in (insert, select, failed):
        equal(span.status, "UNSET", f"status of {span}")
        equal(span.get("db.response.status_code"), None, f"SQLite's code of {span}")
    equal(shop.orders()[-1][3], "FAILED", "order")
    spans = zerospan.finish()
    audits = [s for s in spans if s.name == "BEGIN IMMEDIATE" or s.name == "BEGIN"]
    check(audits, f"no statement of the audit that held the lock in\n{tree(spans[-20:])}")
    for audit in audits:
        equal(audit.parent_id, "", "parent of the audit's statement, which belongs to no request")


def test_inventory_refuses(t):
    """400: an error for the client, none for the servers."""
    shop, zerospan = watched(t)
    answer, spans = checkout(zerospan, shop, "limited-edition", 6)
    equal(answer.status, 400, "checkout")
    root, _, call, deduct, select, _ = expect_shape(spans, REFUSED_IN_FIRST_QUERY)
    for span in (root, deduct):
        equal(span.get("http.response.status_code"), 400, f"status of {span}")
        equal(span.status, "UNSET", f"span status of {span}")
        equal(span.get("error.type"), None, f"error.type of {span}")
    equal((call.status, call.get("error.type")), ("ERROR", "400"), "client span")
    equal(select.get("db.response.returned_rows"), 1, "rows")
    answer, spans = checkout(zerospan, shop, "unicorn", 1, n=2)
    select = expect_shape(spans, REFUSED_IN_FIRST_QUERY)[4]
    equal(select.get("db.response.returned_rows"), 0, "rows of an unknown item")
    zerospan.finish()


def test_inventory_unreachable(t):
    """Nobody listens: no request ever left, so there is no client span."""
    shop, zerospan = watched(t, "thread-per-connection", "--inventory-url",
                             f"http://127.0.0.1:{lib.free_port()}")
    answer, spans = checkout(zerospan, shop)
    equal(answer.status, 502, "checkout")
    root, *_ = expect_shape(spans, [COMPLETE[0], COMPLETE[1], COMPLETE[6]])
    equal((root.status, root.get("error.type")), ("ERROR", "502"), "span")
    zerospan.finish()


def test_inventory_silent(t):
    """It takes the request and never answers: a client span of 5 s without a status."""
    silent = socket.create_server(("127.0.0.1", 0))
    t.cleanup(silent.close)
    port = silent.getsockname()[1]
    shop, zerospan = watched(t, "thread-per-connection", "--inventory-url", f"http://127.0.0.1:{port}")
    answer, spans = checkout(zerospan, shop)
    equal(answer.status, 502, "checkout")
    root, _, call, _ = expect_shape(spans, [COMPLETE[0], COMPLETE[1], COMPLETE[2], COMPLETE[6]])
    check(4.9 <= call.seconds <= answer.seconds, f"{call} should last 5 s")
    equal(call.get("http.response.status_code"), None, "status of a call without an answer")
    equal((call.status, call.get("error.type")), ("ERROR", "connection_closed"), "client span")
    check(root.seconds >= call.seconds, "the checkout contains the call")
    zerospan.finish()


def test_bad_requests(t):
    """422, 404, 405 are the client's fault: the server span stays UNSET."""
    shop, zerospan = watched(t)
    client = shop.client()
    cases = [("POST", "/checkout", "{", 422), ("POST", "/checkout", '{"item": 1}', 422),
             ("GET", "/nothing", "", 404), ("DELETE", "/checkout", "", 405)]
    for method, path, body, status in cases:
        equal(client.request(method, path, (), body).status, status, f"{method} {path}")
    zerospan.wait_spans(len(cases))
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    equal([(s.get("http.request.method"), s.get("url.path"), s.get("http.response.status_code"))
           for s in spans], [(m, p, status) for m, p, _, status in cases], "spans")
    for span in spans:
        equal((span.status, span.get("error.type")), ("UNSET", None), f"status of {span}")


def test_client_gives_up(t):
    """The connection is reset before the answer: an error, and it still ends."""
    shop, zerospan = watched(t)
    client = shop.client()
    client.send(request_bytes("POST", "/checkout", [], '{"item":"smartphone","quantity":3,"price":1}'))
    lib.wait_for(shop.orders, "the order to be in the database")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    zerospan.wait_spans(1, url__path="/checkout", seconds=15)
    spans = zerospan.finish()
    root = one(spans, "of the checkout", url__path="/checkout")
    equal(root.status, "ERROR", "status")
    check(root.get("error.type") in ("connection_reset", "connection_closed"),
          f"error.type {root.get('error.type')}")
    check(len(descendants(spans, root)) >= 3, f"what belongs to it is gone:\n{tree(spans)}")


def checkout_below(spans, root):
    """root and what belongs to it, without what the shop says to a database connection that it had to open for it."""
    return [s for s in descendants(spans, root) if s.name != "PRAGMA journal_mode"]


def test_traffic_mix(t):
    """Everything the traffic generator does, in each model: every checkout has what it must have."""
    for model in MODELS:
        shop, zerospan = watched(t, model, "--journal", "wal")
        traffic = t.run(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--rate", "30",
                        "--duration", "3", "--seed", "7", "--mix",
                        "welcome:1,headphones:3,laptop:2,unknown:1,bad-json:1", seconds=20)
        equal(traffic.status, 0, "exit status of traffic")
        spans = zerospan.finish()
        roots = [s for s in spans if s.get("url.path") == "/checkout"]
        complete = [r for r in roots if r.get("http.response.status_code") == 200]
        check(len(complete) > 30, f"{model}: only {len(complete)} complete checkouts")
        whole = sum(len(checkout_below(spans, r)) == 7 for r in complete)
        t.note(f"{model}: {whole} of {len(complete)} successful checkouts have all 7 spans")
        for root in complete:
            below = checkout_below(spans, root)
            check(len(below) <= 7, f"{model}: too much in one trace:\n{tree(below)}")
            if model == "thread-per-connection":
                expect_shape(below, COMPLETE)
        equal(zerospan.summary().lost, 0, f"{model}: losses")
