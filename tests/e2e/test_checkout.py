# SPDX-License-Identifier: Apache-2.0
"""The main job: one trace of one checkout, on connections that were there before."""
import os
import socket

import observer
from lib import check, equal
from shop import COMPLETE, SCHEDULER_NS, Shop, expect_shape, expect_times, is_statement, order

RUNS_TOGETHER = True

BASES = ["none", "thread", "thread", "socket", "thread", "thread", "thread"]

TEXTS = {
    "INSERT orders": "INSERT INTO orders (item, quantity, price, status) VALUES (?1, ?2, ?3, ?)",
    "SELECT inventory": "SELECT quantity FROM inventory WHERE item = ?1",
    "UPDATE inventory": "UPDATE inventory SET quantity = quantity - ?2 "
                        "WHERE item = ?1 AND quantity >= ?2",
    "UPDATE orders": "UPDATE orders SET status = ? WHERE id = ?1",
}

# Nothing of these may leave: literals of the statements, values of the request.
SECRETS = ["PENDING", "COMPLETED", "headphones", "7351.25", "s3cr3t-bearer", "s3cr3t-cookie"]


def expect_attributes(spans, shop, client):
    checkout, _, call, deduct, select, *_ = spans
    for span, path in ((checkout, "/checkout"), (deduct, "/inventory/deduct")):
        equal(span.get("http.request.method"), "POST", f"method of {span}")
        equal(span.get("url.path"), path, f"url.path of {span}")
        equal(span.get("url.scheme"), "http", f"url.scheme of {span}")
        equal(span.get("http.route"), path, f"http.route of {span}")
        equal(span.get("http.response.status_code"), 200, f"status of {span}")
        equal(span.get("server.address"), "127.0.0.1", f"server.address of {span}")
        equal(span.get("server.port"), shop.port, f"server.port of {span}")
        equal(span.get("client.address"), "127.0.0.1", f"client.address of {span}")
        equal(span.get("network.protocol.version"), "1.1", f"version of {span}")
    equal(checkout.get("network.peer.address"), "127.0.0.1", "peer of the checkout")
    equal(checkout.get("network.peer.port"), client.port, "peer port of the checkout")
    check(deduct.get("network.peer.port") not in (None, client.port), "peer port of the deduction")
    equal(call.get("url.full"), f"http://127.0.0.1:{shop.port}/inventory/deduct", "URL of the call")
    equal(call.get("server.port"), shop.port, "server.port of the call")
    equal(call.get("http.response.status_code"), 200, "status of the call")
    for span in filter(is_statement, spans):
        equal(span.get("db.query.text"), TEXTS[span.name], "statement text")
        equal(span.get("db.query.summary"), span.name, "statement summary")
        equal(span.get("db.namespace"), os.path.realpath(shop.database), "database")
        equal(span.get("db.response.returned_rows"), 1 if span is select else 0, f"rows of {span}")
    for span in spans:
        equal(span.status, "UNSET", f"status of {span}")
        check(span.sampled, f"{span} is not sampled")
        equal(span.resource["process.executable.name"], "shop", f"process of {span}")


def expect_measured(spans, response):
    """What the client measured from outside holds for the server's span."""
    checkout = spans[0]
    slack = SCHEDULER_NS
    check(checkout.seconds <= response.seconds + slack / 1e9,
          f"the server span lasts {checkout.seconds} s, the client measured {response.seconds} s")
    clock = 100_000_000
    check(response.wall_sent - clock <= checkout.start <= response.wall_received + clock,
          "the wall clock of the span is wrong")
    expect_times(spans)
    order_of = sorted(spans, key=lambda s: s.start)
    equal([s.name for s in order_of], [name for _, name, _ in COMPLETE],
          "order of the spans in time")


def one_checkout(t, model, warm):
    """The shop is started, a connection opened and used, then zerospan, then the checkout. warm: the
    shop's own connection to the inventory is older than zerospan, too."""
    shop = Shop(t, model)
    client = shop.client()
    equal(client.get("/").status, 200, "GET /")
    if warm:
        equal(client.post_json("/checkout", order()).status, 200, "checkout before zerospan")
    zerospan = observer.observe(t, "--pid", shop.pid)
    response = client.post_json("/checkout", order(), [
        ("Authorization", "Bearer s3cr3t-bearer"), ("Cookie", "id=s3cr3t-cookie")])
    equal(response.status, 200, "checkout")
    equal(response.json()["status"], "COMPLETED", "checkout")
    zerospan.wait_spans(1, url__path="/checkout")
    found = zerospan.finish()
    spans = expect_shape(found, COMPLETE)
    equal(len(zerospan.lines()), 1, "lines of output for one trace")
    equal([s.basis for s in spans], BASES, "zerospan.parent.basis")
    equal(spans[0].parent_id, "", "parent of the root")
    expect_attributes(spans, shop, client)
    expect_measured(spans, response)
    for secret in SECRETS:
        check(secret not in zerospan.out, f"{secret!r} of the request or a literal is in the output")
    summary = zerospan.summary()
    equal((summary.spans, summary.traces, summary.lost), (7, 1, 0), "spans, traces, losses")
    equal(summary.coverage_pct, 100, "HTTP bytes seen, %")


def test_thread_per_connection(t):
    one_checkout(t, "thread-per-connection", warm=False)


def test_pool(t):
    one_checkout(t, "pool", warm=False)


def test_event_loop(t):
    one_checkout(t, "event-loop", warm=False)


def test_thread_per_connection_all_connections_old(t):
    one_checkout(t, "thread-per-connection", warm=True)


def test_pool_all_connections_old(t):
    one_checkout(t, "pool", warm=True)


def test_event_loop_all_connections_old(t):
    one_checkout(t, "event-loop", warm=True)


def test_two_processes(t):
    """Gateway and inventory as two processes, both observed: still one trace."""
    inventory = Shop(t, "pool", name="inventory")
    gateway = Shop(t, "thread-per-connection", "--inventory-url",
                   f"http://127.0.0.1:{inventory.port}", name="gateway")
    client = gateway.client()
    client.post_json("/checkout", order())
    zerospan = observer.observe(t, "--port", gateway.port, "--port", inventory.port)
    equal(client.post_json("/checkout", order()).status, 200, "checkout")
    zerospan.wait_spans(1, url__path="/checkout")
    spans = expect_shape(zerospan.finish(), COMPLETE)
    equal([s.basis for s in spans], BASES, "zerospan.parent.basis")
    databases = {s.name: s.get("db.namespace") for s in spans if is_statement(s)}
    equal(databases["INSERT orders"], gateway.database, "database of the gateway")
    equal(databases["UPDATE inventory"], inventory.database, "database of the inventory")
    instances = {s.resource["service.instance.id"] for s in spans}
    equal(len(instances), 2, "service instances")
    expect_times(spans)


def test_only_the_gateway_observed(t):
    """Without the other end the call is a leaf; nothing is invented."""
    inventory = Shop(t, name="inventory")
    gateway = Shop(t, "thread-per-connection", "--inventory-url",
                   f"http://127.0.0.1:{inventory.port}", name="gateway")
    zerospan = observer.observe(t, "--pid", gateway.pid)
    client = gateway.client()
    equal(client.post_json("/checkout", order()).status, 200, "checkout")
    zerospan.wait_spans(1, url__path="/checkout")
    expect_shape(zerospan.finish(), [COMPLETE[0], COMPLETE[1], COMPLETE[2],
                                     ("CLIENT", "UPDATE orders", 0)])


def test_query_is_redacted(t):
    """Credentials in a query never leave, the rest of it does."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    shop.client().get("/?page=7&sig=s3cr3t-signature&x=1")
    span, = zerospan.wait_spans(1, url__path="/")
    zerospan.finish()
    check("s3cr3t" not in zerospan.out, "a signature in the query is in the output")
    equal(span.get("url.query"), "page=7&sig=REDACTED&x=1", "url.query")
    equal(span.get("http.route"), "/", "http.route")


def test_requests_that_are_no_requests(t):
    """A connection that is opened and closed, and one cut in the head, are no spans."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    socket.create_connection(("127.0.0.1", shop.port)).close()
    half = shop.client()
    half.send(b"POST /checkout HTTP/1.1\r\nHost: x\r\n")
    half.close()
    shop.client().get("/")
    zerospan.wait_spans(1, url__path="/")
    spans = zerospan.finish()
    equal([s.name for s in spans], ["GET /"], "spans")
