# SPDX-License-Identifier: Apache-2.0
"""The shop as a target, and what a trace of its checkout must look like."""
import json
import sqlite3

import lib
from http_raw import Client
from lib import check, equal, wait_for
from observer import tree

MODELS = ("thread-per-connection", "pool", "event-loop")

# What one system call's way back may take on a busy machine. The end of a server's answer and the
# client's reading of it are two threads' business: either may be seen first.
SCHEDULER_NS = 200_000_000


class Shop:
    """build/shop on a free port with a database of its own."""

    def __init__(self, test, model="thread-per-connection", *args, name="shop", env=None):
        self.database = test.path(name + ".db")
        self.process = test.start(lib.built("shop"), "--port", "0", "--model", model,
                                  "--database", self.database, *args, env=env)
        self.port = wait_for(self._port, "the shop to listen")
        self.pid = self.process.pid

    def _port(self):
        check(self.process.status is None, f"the shop ended: {self.process.err}")
        for line in self.process.out.splitlines():
            if '"listening"' in line:
                return json.loads(line)["port"]
        return None

    def client(self):
        return Client(self.port)

    def orders(self):
        """(id, item, quantity, status) of all orders."""
        db = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return db.execute("SELECT id, item, quantity, status FROM orders ORDER BY id").fetchall()
        finally:
            db.close()


def order(item="headphones", quantity=1, price=7351.25):
    return {"item": item, "quantity": quantity, "price": price}


def is_server(span, path):
    return span.kind == "SERVER" and span.get("url.path") == path


def is_statement(span):
    return span.get("db.system.name") == "sqlite"


# The spans of a complete checkout: (kind, name) and the index of the parent.
COMPLETE = [
    ("SERVER", "POST /checkout", None),
    ("CLIENT", "INSERT orders", 0),
    ("CLIENT", "POST /inventory/deduct", 0),
    ("SERVER", "POST /inventory/deduct", 2),
    ("CLIENT", "SELECT inventory", 3),
    ("CLIENT", "UPDATE inventory", 3),
    ("CLIENT", "UPDATE orders", 0),
]


def missing(spans, shape):
    """What of a shape is not there and what is too much, by kind and name."""
    have = [(s.kind, s.name) for s in spans]
    want = [(kind, name) for kind, name, _ in shape]
    lacks = [w for w in want if have.count(w) < want.count(w)]
    extra = [h for h in have if have.count(h) > want.count(h)]
    return f"missing {sorted(set(lacks))}, too much {sorted(set(extra))}"


def expect_shape(spans, shape):
    """The spans of one trace are exactly the shape, each below its parent; they are returned in the
    order of the shape."""
    equal(sorted((s.kind, s.name) for s in spans), sorted((k, n) for k, n, _ in shape),
          f"spans of the trace ({missing(spans, shape)})\n{tree(spans)}\nkinds and names")
    equal(len({s.trace_id for s in spans}), 1, f"number of trace ids in\n{tree(spans)}\n")
    found = []
    for kind, name, parent in shape:
        span, = [s for s in spans if (s.kind, s.name) == (kind, name)]
        if parent is not None:
            equal(span.parent_id, found[parent].span_id,
                  f"parent of {kind} {name} in\n{tree(spans)}\nspan id")
        found.append(span)
    return found


def expect_times(spans):
    """Children lie inside their parents. At a socket the two ends are different threads: the ends of
    their spans may be seen in either order."""
    ids = {s.span_id: s for s in spans}
    for span in spans:
        check(span.start <= span.end, f"{span} ends before it starts")
        parent = ids.get(span.parent_id)
        if not parent:
            continue
        slack = SCHEDULER_NS if span.basis == "socket" else 0
        check(span.start >= parent.start, f"{span} starts before its parent {parent}")
        check(span.end <= parent.end + slack,
              f"{span} ends {(span.end - parent.end) / 1e6:.3f} ms after its parent {parent}")
