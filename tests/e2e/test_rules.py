# SPDX-License-Identifier: Apache-2.0
"""Rules: what an application never told, from its payloads: exactly what its database says; read again on SIGHUP."""
import json
import os
import signal
import subprocess

import lib
import observer
import otlp_metrics
import verify_orders
from exposition import samples
from http_raw import request_bytes
from lib import check, equal, wait_for
from otlp import Receiver
from shop import MODELS, Shop, order

RUNS_TOGETHER = True

CONFIG = os.path.join(lib.ROOT, "deploy", "shop.yaml")
# How many orders the exact comparison makes; the claim was checked with 117920 (of 125000 requests).
ORDERS = int(os.environ.get("RULES_ORDERS") or 3000)
RATE = 600
# What the metrics have besides what tells processes apart, in this order: no more, no less.
LABELS = {"order_checkouts_total": ("item",), "order_revenue_total": ("item",),
          "order_checkout_errors_total": ("item", "reason")}
# The items of those kinds of traffic that are not called as their item is.
ITEMS = {"unknown": "gramophone", "limited": "limited-edition"}
MIX = "headphones:40,smartphone:20,laptop:20,unknown:10,limited:10,bad-json:3,bad-field:3"
REVENUE, CHECKOUTS, ERRORS = ("order_revenue_total", "order_checkouts_total",
                              "order_checkout_errors_total")


def by_labels(samples, name):
    """A metric of orders by the values of its labels, of which there are exactly the right ones."""
    points = {}
    for labels, value in samples:
        equal(set(labels), {"job", "instance", *LABELS[name]}, f"labels of {name}")
        points[tuple(labels[key] for key in LABELS[name])] = value
    equal(len(points), len(samples), f"series of {name}: all of one process")
    return points


def failures_by_cause(kinds, failed):
    """(item, reason): how many, by the database; of which orders the inventory knows nothing says who placed them."""
    expected = {}
    for kind, by_status in kinds.items():
        item = ITEMS.get(kind, kind)
        unreachable = by_status.get("502", 0)  # on a busy machine calls take too long
        rejected = failed.get(item, 0) - unreachable
        expected[item, "inventory_network_error"] = unreachable
        expected[item, "inventory_rejection"] = rejected
    return {key: count for key, count in expected.items() if count}


@lib.deadline(150 + ORDERS // RATE * 2)
def test_counters_are_the_databases(t):
    """Every order is in the counters, the revenue to the last digit, under exactly the labels that the rules say, in both formats."""
    shop = Shop(t, "pool")
    zerospan = observer.observe_run(t, "--config", CONFIG, "--pid", shop.pid)
    traffic = t.start(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--rate", RATE,
                      "--duration", ORDERS / RATE, "--mix", MIX)
    equal(traffic.wait(120 + ORDERS / RATE * 2), 0, "exit status of traffic")
    sent = json.loads(traffic.out)
    check(sent["sent"] > ORDERS / 2, f"the machine is too busy: {sent['skipped']} orders could not be sent")
    placed, sold, failed = verify_orders.stored(shop.database)
    orders = sum(placed.values())
    equal(orders, sent["sent"] - sent["status"]["422"], "orders in the database")
    wait_for(lambda: zerospan.metrics().sum(CHECKOUTS) >= orders, "all orders in /metrics")
    text, openmetrics = zerospan.metrics_text(), zerospan.openmetrics_text()
    metrics = observer.Metrics(text)
    expected = {CHECKOUTS: {(item,): count for item, count in placed.items()},
                REVENUE: {(item,): amount for item, amount in sold.items()},
                ERRORS: failures_by_cause(sent["kinds"], failed)}
    for name, points in expected.items():
        equal(by_labels(metrics.select(name), name), points, name)
        equal(by_labels(samples(openmetrics, name), name), points, f"{name} in OpenMetrics")
        check(f"# TYPE {name} counter" in text and f"# TYPE {name.removesuffix('_total')} counter" in openmetrics,
              f"{name} is a counter")
    check(len(failed) >= 2, f"orders that fail are among them: {failed}")
    equal(metrics.lost(), {}, "losses")
    equal(zerospan.stop(), 0, "exit status")
    t.note(f"{orders} orders, {sum(failed.values())} of them failed, {sum(sold.values()):.2f} sold")


def test_attributes(t):
    """In each model the checkout's span says what was ordered, the deduction's what was taken."""
    for model in MODELS:
        shop = Shop(t, model)
        zerospan = observer.observe(t, "--config", CONFIG, "--pid", shop.pid)
        answer = shop.client().post_json("/checkout", order("smartphone", 2, 999))
        equal(answer.status, 200, f"{model}: checkout")
        number = json.loads(answer.body)["order_id"]
        zerospan.wait_spans(1, http__route="/checkout")
        spans = zerospan.finish()
        checkout = observer.one(spans, "checkout", name="POST /checkout")
        equal({key: checkout.get(key) for key in
               ("order.item", "order.quantity", "order.price_per_unit", "order.id", "order.status",
                "order.revenue")},
              {"order.item": "smartphone", "order.quantity": 2, "order.price_per_unit": 999,
               "order.id": number, "order.status": "COMPLETED", "order.revenue": 1998},
              f"{model}: attributes of the checkout")
        deduct = observer.one(spans, "deduction", name="POST /inventory/deduct", kind="SERVER")
        equal((deduct.get("inventory.item"), deduct.get("inventory.deduction_quantity")),
              ("smartphone", 2), f"{model}: attributes of the deduction")


def test_network_error(t):
    """The inventory refuses, then cannot be reached: of each item the failures by reason, as many as the database has, no revenue."""
    inventory = Shop(t, name="inventory")
    shop = Shop(t, "thread-per-connection", "--inventory-url", f"http://127.0.0.1:{inventory.port}")
    zerospan = observer.observe_run(t, "--config", CONFIG, "--pid", shop.pid)
    client = shop.client()
    for item, status in ("gramophone", 400), ("gramophone", 400), ("gramophone", 502), ("laptop", 502):
        if status == 502:
            inventory.process.end()
        equal(client.post_json("/checkout", order(item)).status, status, f"checkout of a {item}")
    wait_for(lambda: zerospan.metrics().sum(ERRORS) >= 4, "the errors")
    metrics = zerospan.metrics()
    points = by_labels(metrics.select(ERRORS), ERRORS)
    equal(points, {("gramophone", "inventory_rejection"): 2, ("gramophone", "inventory_network_error"): 1,
                   ("laptop", "inventory_network_error"): 1}, ERRORS)
    equal(by_labels(samples(zerospan.openmetrics_text(), ERRORS), ERRORS), points, "the same in OpenMetrics")
    equal(verify_orders.stored(shop.database)[2], {"gramophone": 3, "laptop": 1}, "failures in the database")
    equal(metrics.select(REVENUE), [], REVENUE)
    equal(zerospan.stop(), 0, "exit status")


def test_otlp(t):
    """The same metrics by OTLP, under the same names, with their units."""
    receiver = Receiver(t)
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--config", CONFIG, "--pid", shop.pid, env=receiver.environment)
    client = shop.client()
    equal(client.post_json("/checkout", order("headphones", 2, 79.5)).status, 200, "checkout")
    equal(client.post_json("/checkout", order("unicorn", 1, 10)).status, 400, "checkout")
    zerospan.finish()
    points = {}
    for body in receiver.metric_bodies:  # the last one has all
        points.update({(p.name, *sorted(p.attrs.items())): (p.value, p.unit, p.monotonic)
                       for p in otlp_metrics.decode_request(body) if p.name.startswith("order_")})
    equal(points, {
        ("order_checkouts", ("item", "headphones")): (1, "", True),
        ("order_checkouts", ("item", "unicorn")): (1, "", True),
        ("order_revenue", ("item", "headphones")): (159, "USD", True),
        ("order_checkout_errors", ("item", "unicorn"), ("reason", "inventory_rejection")): (1, "", True),
    }, "metrics")


def check_config(path):
    done = subprocess.run([lib.built("zerospan"), "config", "check", path], capture_output=True,
                          text=True, check=False, timeout=20)
    return done.returncode, done.stdout + done.stderr


def test_config_check(t):
    """The shipped file is right; of a wrong one the place, the key and what is allowed are said."""
    status, said = check_config(CONFIG)
    equal(status, 0, said)
    check("2 rules with 8 attributes and 3 metrics" in said, said)
    path = t.write("wrong.yaml", "rules:\n  - match: POST /checkout\n    attributes:\n"
                   "      order.item: request.item +\n")
    status, said = check_config(path)
    equal((status, said), (2, f'zerospan: error: {path}:4: rules.attributes: "request.item +" ends where a '
                           "value must stand\n"), "what is said")
    path = t.write("taken.yaml", "rules: [{match: GET *, metrics: [{counter: "
                   "http_server_request_duration}]}]\n")
    status, said = check_config(path)
    equal(status, 2, said)
    check('would be mixed up with "http.server.request.duration"' in said, said)


RULE = "rules: [{match: GET *, metrics: [{counter: %s}]}]\n"


def test_reload(t):
    """SIGHUP: a new file is taken, a bad one changes nothing, and no request is lost meanwhile."""
    config = t.write("rules.yaml", RULE % "first")
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--config", config, "--pid", shop.pid)
    client = shop.client()

    def ask(n, name, total):
        for _ in range(n):
            equal(client.get("/").status, 200, "status")
        wait_for(lambda: zerospan.metrics().sum(name) >= total, f"{total} in {name}")

    def send(text, words):
        t.write("rules.yaml", text)
        zerospan.signal(signal.SIGHUP)
        wait_for(lambda: words in zerospan.err, f'"{words}"')

    ask(3, "first_total", 3)
    send(RULE % "second", "is read again: 0 routes, other paths are inferred, 1 rule with 0 "
         "attributes and 1 metric")
    ask(4, "second_total", 4)
    send("rules: [{match: GET *, metrics: [{counter: a-b}]}]\n", '"a-b" is no name')
    check("is not taken, all stays as it was" in zerospan.err, zerospan.err)
    send("rules: [{match: GET *, metrics: [{histogram: second, value: 1}]}]\n",
         "had another kind until now, and a new one holds from the next start on")
    ask(2, "second_total", 6)
    send("routes: ['/{any}']\n", "is read again: 1 route, other paths are inferred")
    equal(client.get("/x").status, 404, "status")
    wait_for(lambda: zerospan.metrics().select("http_server_request_duration_seconds_count",
                                               http_route="/{any}"), "the new route")
    metrics = zerospan.metrics()
    equal([metrics.sum(name) for name in ("first_total", "second_total")], [3, 6], "counters")
    equal(metrics.sum("http_server_request_duration_seconds_count"), 10, "requests")
    equal(zerospan.stop(), 0, "exit status")


PATHS = 100_000
RESIDENT_MB = 64  # with the traces of some seconds, where the machine is busy
GROWTH_MB = 8     # from the second to the last quarter of the paths, when all tables are full: 130 bytes per path
AT_ONCE = 50


def resident_mb(pid, field="VmRSS"):
    """What the kernel says of a process' memory; VmHWM: the most that it ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1.024e-3 for line in file if line.startswith(field + ":"))


@lib.deadline(120)
def test_a_scanner(t):
    """A hundred thousand paths that nobody has cost a hundred routes and little memory."""
    shop = Shop(t, "event-loop")
    config = t.write("rules.yaml", "rules: [{match: '* *', metrics: [{counter: paths, labels: {route: "
                     "route, q: query.q}}]}]\n")
    zerospan = observer.observe_run(t, "--config", config, "--pid", shop.pid)
    client = shop.client()
    resident = []
    for begin in range(0, PATHS, AT_ONCE):
        numbers = range(begin, begin + AT_ONCE)
        client.send(b"".join(request_bytes("GET", f"/w{n:x}-x/p{n}.php?q={n}") for n in numbers))
        for n in numbers:
            equal(client.read_response().status, 404, f"request {n}")
        if begin % (PATHS // 40) == 0:
            resident.append(resident_mb(zerospan.pid))
    name = "http_server_request_duration_seconds_count"
    wait_for(lambda: zerospan.metrics().sum(name) >= PATHS, "all requests in /metrics")
    metrics = zerospan.metrics()
    routes = [labels["http_route"] for labels, _ in metrics.select(name)]
    check(len(routes) <= 101 and "/*" in routes, f"{len(routes)} routes")
    equal(metrics.sum(name), PATHS, "requests")
    equal(metrics.sum("paths_total"), PATHS, "requests that the rule counted")
    check(len(metrics.select("paths_total")) <= 2001, "series of the rule")
    most, told = resident_mb(zerospan.pid, "VmHWM"), metrics.own("process_memory_usage_bytes") / 1e6
    growth = min(resident[30:]) - min(resident[10:20])
    check(most < RESIDENT_MB, f"resident grew to {most} MB")
    check(growth < GROWTH_MB, f"resident goes on growing: {resident} MB")
    check(0 < told < most + 1, f"it says {told} MB of itself, the kernel {most} MB at most")
    t.note(f"{len(routes)} routes, {len(metrics.select('paths_total'))} series of the rule, resident at most {most:.1f} MB, "
           f"{growth:+.1f} MB in the second half")
    equal(zerospan.stop(), 0, "exit status")


def test_replay(t):
    """A recording with payloads gives the same traces, attributes and all; one without has no bodies to read."""
    def replay(name):
        done = subprocess.run([lib.built("zerospan"), "replay", "-q", "--format", "otlp-json", "--config",
                               CONFIG, t.path(name)], capture_output=True, text=True, check=False,
                              timeout=30)
        equal(done.returncode, 0, f"exit status; {done.stderr}")
        return done.stdout

    shop = Shop(t)
    for name, more in (("all", ["--record-payloads"]), ("less", [])):
        zerospan = observer.observe(t, "--config", CONFIG, "--record", t.path(name), "--pid", shop.pid,
                                    *more)
        equal(shop.client().post_json("/checkout", order()).status, 200, "checkout")
        zerospan.wait_spans(1, http__route="/checkout")
        zerospan.finish()
        check('"order.item"' in zerospan.out, "attributes of the live run")
        if name == "all":
            equal(replay(name), zerospan.out, "the replay")
        else:
            check('"order.item"' not in replay(name), "no attributes without bodies")
            check('"http.response.body.size"' in replay(name), "the same spans")
