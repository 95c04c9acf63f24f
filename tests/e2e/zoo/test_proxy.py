# SPDX-License-Identifier: Apache-2.0
"""A proxy before a server: SERVER, CLIENT, SERVER in one trace, each the parent of the next.

The truth is in the paths: each request has one of its own, which all three of its spans show. One
after another, all must be joined. Many at once, a proxy with an event loop may leave its calls without
a parent; a parent with another path is a lie, and so is every other number than three spans.
"""
import collections
import threading

import observer
from http_raw import Client
from lib import check, equal
from observer import tree
from zoo import keepers
from zoo.haproxy import Haproxy
from zoo.nginx_server import Nginx, NginxKeepaliveProxy, NginxProxy
from zoo.node import NodeProxy
from zoo.python_http import PythonHttp

SEQUENTIAL = 20
PARALLEL = 16
ROUNDS = 10

# Proxy and what is behind it.
PAIRS = {
    "nginx_nginx": (NginxProxy, Nginx),
    "nginx_nginx_keepalive": (NginxKeepaliveProxy, Nginx),
    "haproxy_python": (lambda test, back: Haproxy(test, back, threads=2), PythonHttp),
    "haproxy_nginx": (lambda test, back: Haproxy(test, back, threads=2), Nginx),
    "node_nginx": (NodeProxy, Nginx),
}


def visit(port, number, answers):
    """One client's requests on one connection; what went wrong, or nothing, goes to answers."""
    try:
        client = Client(port)
        for turn in range(ROUNDS):
            check(client.get(f"/t/{number}-{turn}").status in (200, 404), "not answered")
        client.close()
        answers.append(None)
    except Exception as error:  # noqa: BLE001 told by the test
        answers.append(error)


def one_by_one(port):
    client = Client(port)
    for number in range(SEQUENTIAL):
        client.get(f"/t/{number}")
    client.close()
    return SEQUENTIAL


def at_once(port):
    answers = []
    threads = [threading.Thread(target=visit, args=(port, number, answers), daemon=True)
               for number in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    equal(answers, [None] * PARALLEL, "how the clients ended")
    return PARALLEL * ROUNDS


def path_of(span):
    return span.get("url.path") or "/" + span.get("url.full").split("/", 3)[3]


def instance_of(span):
    return span.resource["service.instance.id"]


class Family:
    """The three spans of each path, and how they are joined."""

    def __init__(self, spans):
        self.spans = spans
        self.ids = {span.span_id: span for span in spans}
        self.callers = {instance_of(span) for span in spans if span.kind == "CLIENT"}
        kinds = collections.Counter((path_of(s), self.place(s)) for s in spans)
        self.paths = {path for path, _ in kinds}
        for path in self.paths:
            for place in ("front", "call", "back"):
                equal(kinds[path, place], 1, f"spans of {path}, {place}")
        self.joined, self.orphans = collections.Counter(), collections.Counter()
        for span in spans:
            self.judge(span, self.place(span))

    def place(self, span):
        if span.kind == "CLIENT":
            return "call"
        return "front" if instance_of(span) in self.callers else "back"

    def judge(self, span, place):
        if not span.parent_id:
            self.orphans[place] += place != "front"
            return
        parent = self.ids.get(span.parent_id)
        check(parent and place != "front", f"{span} has a parent that is none")
        check(path_of(parent) == path_of(span) and parent.trace_id == span.trace_id and
              parent.kind == ("SERVER" if place == "call" else "CLIENT"),
              f"wrong parent: {path_of(span)} below {path_of(parent)}\n{tree([parent, span])}")
        self.joined[place] += 1


def proxy(t, make_front, make_back, ask):
    back = make_back(t)
    front = make_front(t, back)
    zerospan = observer.observe(t, "--pid", front.pid, "--pid", back.pid)
    count = ask(front.port)
    zerospan.wait_spans(3 * count)
    family = Family(zerospan.finish())
    equal(zerospan.summary().lost, 0, "losses")
    equal(len(family.paths), count, "paths seen")
    t.note(f"{count} requests, {len(family.spans)} spans; joined {dict(family.joined)}, orphans "
           f"{dict(+family.orphans)}, wrong 0")
    equal(family.joined["back"], count, "servers behind that have the call as their parent")
    if ask is one_by_one:
        equal(family.joined["call"], count, "calls that have the request as their parent")


for name, pair in PAIRS.items():
    keepers.add_test(globals(), name + "_one_by_one", proxy, *pair, one_by_one)
    keepers.add_test(globals(), name + "_at_once", proxy, *pair, at_once)
