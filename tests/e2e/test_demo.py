# SPDX-License-Identifier: Apache-2.0
"""The demonstration, as README.md promises it: what it kept of one run is judged here once more, not by its own word."""
import collections
import os
import signal

import lib
import observer
import verify_checkout
import verify_orders
from lib import check, equal

CHECKOUTS, REVENUE, ERRORS = ("order_checkouts_total", "order_revenue_total", "order_checkout_errors_total")
SECONDS = 10  # of the same traffic each time: after 6 s a gramophone is ordered, which there is none of
ORDER = {"order.item", "order.quantity", "order.price_per_unit"}
COMPLETED = ORDER | {"order.id", "order.status", "order.revenue"}
DEDUCTION = {"inventory.item", "inventory.deduction_quantity"}


def run(t):
    """What make demo runs, with the programs that are there; the directory with what it kept."""
    kept = t.path("kept")
    demo = t.start(os.path.join(lib.ROOT, "target-app", "demo"), env={
        "DEMO_SECONDS": str(SECONDS), "DEMO_KEEP": kept, "DEMO_PROGRAMS": lib.BUILD, "TMPDIR": t.dir})
    try:
        status = demo.wait(45)
    finally:
        demo.signal(signal.SIGTERM)  # it ends the programs that it started
        demo.wait(30)
    equal(status, 0, f"exit status of the demo; it said {demo.out[-2000:]} {demo.err}")
    check("\nyes\n" in demo.out, "it was really seen")
    equal([name for name in os.listdir(t.dir) if name.startswith("zerospan-demo.")], [], "what it left behind")
    return kept


def given(span, prefix):
    """The attributes that rules gave a span."""
    return {key: value for key, value in span.attributes.items() if key.startswith(prefix)}


def orders_of(spans):
    """Of the traces: the checkouts that were understood, each with what its rules say of it."""
    return [(s, given(s, "order.")) for s in spans if s.kind == verify_checkout.SERVER
            and s.operation == "POST /checkout" and s.attributes["http.response.status_code"] != 422]


def by_cause(orders):
    """(item, reason) of those that failed: how many."""
    reasons = {502: "inventory_network_error"}
    failed = [(order["order.item"], reasons.get(span.attributes["http.response.status_code"], "inventory_rejection"))
              for span, order in orders if span.attributes["http.response.status_code"] != 200]
    return dict(collections.Counter(failed))


def points(metrics, name, *labels):
    """A metric's values by exactly these labels, besides what tells processes apart."""
    for have, _ in metrics.select(name):
        equal(set(have), {"job", "instance", *labels}, f"labels of {name}")
    return {tuple(have[label] for label in labels): value for have, value in metrics.select(name)}


def expect_attributes(spans, orders):
    for span, order in orders:
        ok = span.attributes["http.response.status_code"] == 200
        equal(set(order), COMPLETED if ok else ORDER, f"attributes of {span} in trace {span.trace_id}")
        if ok:
            equal((order["order.status"], order["order.revenue"]),
                  ("COMPLETED", order["order.quantity"] * order["order.price_per_unit"]), f"of trace {span.trace_id}")
    deductions = [s for s in spans if s.kind == verify_checkout.SERVER and s.operation == "POST /inventory/deduct"]
    equal(len(deductions), len(orders), "deductions")
    ordered = {span.trace_id: (order["order.item"], order["order.quantity"]) for span, order in orders}
    for span in deductions:
        equal(set(given(span, "inventory.")), DEDUCTION, f"attributes of {span}")
        equal((span.attributes["inventory.item"], span.attributes["inventory.deduction_quantity"]),
              ordered[span.trace_id], f"of {span} in trace {span.trace_id}")


def expect_database(path, orders, metrics):
    """Every order since the first one that was seen: in the traces by its number, in the counters by its item and its end."""
    after = verify_orders.query(path, "SELECT max(id) FROM orders")[0][0] - len(orders)  # ids have no gaps
    rows = verify_orders.query(path, "SELECT id, item, quantity, price FROM orders WHERE status = 'COMPLETED' "
                               "AND id > ? ORDER BY id", (after,))
    equal(sorted((o["order.id"], o["order.item"], o["order.quantity"], o["order.price_per_unit"]) for _, o in orders
                 if "order.id" in o), rows, "orders in the traces, and in the database")
    placed, sold, failed = verify_orders.stored(path, after)
    check(sum(placed.values()) > SECONDS and failed, f"orders {placed}, of which failed {failed}")
    equal(points(metrics, CHECKOUTS, "item"), {(item,): n for item, n in placed.items()}, CHECKOUTS)
    equal(points(metrics, REVENUE, "item"), {(item,): amount for item, amount in sold.items()}, REVENUE)
    errors = points(metrics, ERRORS, "item", "reason")
    equal(errors, by_cause(orders), ERRORS)
    equal({item: n for (item, _), n in errors.items()}, failed, "failures, and in the database")


def test_demo(t):
    kept = run(t)
    with open(os.path.join(kept, "metrics"), encoding="utf-8") as file:
        metrics = observer.Metrics(file.read())
    spans = verify_checkout.read_spans(os.path.join(kept, "traces.jsonl"))
    orders = orders_of(spans)
    expect_attributes(spans, orders)
    expect_database(os.path.join(kept, "shop.db"), orders, metrics)
    equal(metrics.lost(), {}, "losses")
    t.note(f"{len(orders)} orders of the demo, {sum(by_cause(orders).values())} of them failed")
