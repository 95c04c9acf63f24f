# SPDX-License-Identifier: Apache-2.0
"""--config: routes by patterns, in spans and labels, live and replayed; a mistake starts nothing."""
import json
import os
import signal
import subprocess

import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for
from otlp import Receiver
from shop import Shop, order

RUNS_TOGETHER = True

ROUTES = """
routes:
  patterns:
    - /
    - /orders/{order}
    - /orders/latest
    - /static/*
  unmatched: %s
"""

# Path, and its route where others have none and where they are inferred.
PATHS = [("/", "/", "/"), ("/orders/latest", "/orders/latest", "/orders/latest"),
         ("/orders/abc?q=1", "/orders/{order}", "/orders/{order}"),
         ("/static/a/b.js", "/static/*", "/static/*"), ("/users/42", None, "/users/{id}"),
         ("/orders", None, "/orders")]


def serve(t):
    """A Python server that knows none of these paths, and its port."""
    os.mkdir(t.path("files"))
    port = lib.free_port()
    process = t.start(lib.PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1",
                      cwd=t.path("files"))
    wait_for(lambda: lib.listens(port), "http.server to listen")
    return process, port


def ask_all(port):
    for path, _, _ in PATHS:
        client = Client(port)
        check(client.get(path).status in (200, 404), path)
        client.close()


def expect_routes(spans, column):
    equal([(s.name, s.get("http.route"), s.get("url.path"), s.get("url.query")) for s in
           sorted(spans, key=lambda s: s.start)],
          [(f"GET {row[column]}" if row[column] else "GET", row[column], row[0].split("?")[0],
            "q=1" if "?" in row[0] else None) for row in PATHS], "names, routes, paths, queries")


def replay(t, *args, **env):
    done = subprocess.run([lib.built("zerospan"), "replay", "-q", "--format", "otlp-json", *args],
                          capture_output=True, text=True, check=False, timeout=30,
                          env={**os.environ, **env})
    equal(done.returncode, 0, f"exit status; {done.stderr}")
    return done.stdout


def spans_in(text):
    return [s for line in text.splitlines() for s in observer.spans_of(json.loads(line))]


def test_routes_live_and_replayed(t):
    """What matches no pattern has no route. The same file makes the replay the same, another one another."""
    process, port = serve(t)
    config = t.write("routes.yaml", ROUTES % "unset")
    zerospan = observer.observe(t, "--config", config, "--record", t.path("rec"), "--pid", process.pid)
    ask_all(port)
    zerospan.wait_spans(len(PATHS))
    expect_routes(zerospan.finish(), 1)
    equal(replay(t, "--config", config, t.path("rec")), zerospan.out, "the replay")
    inferred = replay(t, "--config", t.write("inferred.yaml", ROUTES % "infer"), t.path("rec"))
    expect_routes(spans_in(inferred), 2)


def test_routes_are_labels(t):
    process, port = serve(t)
    config = t.write("routes.yaml", ROUTES % "unset")
    zerospan = observer.observe_run(t, "--config", config, "--pid", process.pid)
    ask_all(port)
    name = "http_server_request_duration_seconds_count"
    wait_for(lambda: zerospan.metrics().sum(name) >= len(PATHS), "all requests in /metrics")
    equal(sorted((labels.get("http_route", ""), value) for labels, value in
                 zerospan.metrics().select(name)),
          [("", 2), ("/", 1), ("/orders/latest", 1), ("/orders/{order}", 1), ("/static/*", 1)],
          "routes as labels")
    equal(zerospan.stop(), 0, "exit status")


def test_other_routes_meanwhile(t):
    """SIGHUP: a path that was asked for a moment ago has the route that the file says now."""
    process, port = serve(t)
    config = t.write("routes.yaml", 'routes: ["/users/{name}"]')
    zerospan = observer.observe(t, "--config", config, "--pid", process.pid)
    for i, text in enumerate([None, 'routes: ["/users/{somebody}"]', "routes: []", "routes: [/*]"]):
        if text:
            t.write("routes.yaml", text)
            zerospan.signal(signal.SIGHUP)
            wait_for(lambda i=i: zerospan.err.count("is read again") == i, "the file to be read again")
        for _ in range(2):
            client = Client(port)
            check(client.get("/users/42").status == 404, "/users/42")
            client.close()
        zerospan.wait_spans(2 * (i + 1))
    equal([s.get("http.route") for s in sorted(zerospan.finish(), key=lambda s: s.start)],
          [route for route in ("/users/{name}", "/users/{somebody}", "/users/{id}", "/*") for _ in range(2)], "routes")


# Of routes, rules and sampling each something else; what is wrong stands behind them all.
EVERYTHING = """
routes: ["/{%s}"]
rules: [{match: GET *, attributes: {rule: '"%s"'}, metrics: [{counter: count_%s}]}]
sampling: {default: %d}
"""
MISTAKES = {
    EVERYTHING % ("two", "two", "two", 0) + "logs: {rate: many}\n": ":5: logs.rate: ",
    EVERYTHING % ("two", "two", "two", 0) + "colour: red\n": ":5: ",
    EVERYTHING % ("two", "two", "two", 0) + "logs: {rate: 1\n": "wrong.yaml:",
    EVERYTHING % ("two", "two", "two", 2): ":4: sampling.default: ",
    (EVERYTHING % ("two", "two", "two", 0)).replace("}]}]", "}, {histogram: count_one, value: 1}]}]"): "had another kind until now",
    None: "No such file",
}


def test_bad_file_changes_nothing(t):
    """SIGHUP: of a file with a mistake nothing is taken, neither routes nor rules nor sampling; of a good one then all is."""
    process, port = serve(t)
    config = t.write("wrong.yaml", EVERYTHING % ("one", "one", "one", 1))
    receiver = Receiver(t)
    zerospan = observer.observe_run(t, "--config", config, "--pid", process.pid, env=receiver.environment)
    n = 0

    def ask(counter):
        nonlocal n
        client = Client(port)
        client.get(f"/x{n}")
        client.close()
        n += 1
        wait_for(lambda: sum(zerospan.metrics().sum(f"count_{name}_total") for name in ("one", "two")) == n, "the request")
        return zerospan.metrics().sum(f"count_{counter}_total")

    equal(ask("one"), 1, "requests by the first rule")
    for i, (text, why) in enumerate(MISTAKES.items(), 1):
        os.remove(config)
        if text:
            t.write("wrong.yaml", text)
        zerospan.signal(signal.SIGHUP)
        wait_for(lambda i=i: zerospan.err.count("is not taken, all stays as it was") == i, "the word that it is not taken")
        last = [line for line in zerospan.err.splitlines() if "is not taken" in line][-1]
        check(why in last, f"{why} is not said: {zerospan.err}")
        equal(ask("one"), i + 1, f"requests by the first rule, after {text}")
    t.write("wrong.yaml", EVERYTHING % ("two", "two", "two", 1))
    zerospan.signal(signal.SIGHUP)
    wait_for(lambda: "is read again" in zerospan.err, "the file to be read again")
    equal(ask("two"), 1, "requests by the second rule")
    equal(zerospan.stop(), 0, "exit status")
    names = len(MISTAKES) * ["one"] + ["one", "two"]
    equal([(s.get("http.route"), s.get("rule")) for s in sorted(receiver.spans(), key=lambda s: s.start)],
          [("/{%s}" % name, name) for name in names], "routes and attributes of the spans that arrived")


def test_shop(t):
    """The file that is shipped."""
    config = os.path.join(lib.ROOT, "deploy", "shop.yaml")
    shop = Shop(t)
    zerospan = observer.observe(t, "--config", config, "--pid", shop.pid)
    client = shop.client()
    equal(client.post_json("/checkout", order()).status, 200, "checkout")
    zerospan.wait_spans(1, http__route="/checkout")
    spans = zerospan.finish()
    observer.one(spans, "checkout", name="POST /checkout", http__route="/checkout")
    observer.one(spans, "deduct", name="POST /inventory/deduct", http__route="/inventory/deduct")


def test_known_methods(t):
    """The environment says which methods are known, for a replay too."""
    process, port = serve(t)
    methods = {"OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": "POST,PROPFIND"}
    zerospan = observer.observe(t, "--record", t.path("rec"), "--pid", process.pid,
                                env=methods)
    for method in ("PROPFIND", "GET"):
        client = Client(port)
        client.request(method, "/a")
        client.close()
    zerospan.wait_spans(2)
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    equal([(s.name, s.get("http.request.method"), s.get("http.request.method_original"))
           for s in spans],
          [("PROPFIND /a", "PROPFIND", None), ("HTTP /a", "_OTHER", "GET")], "methods")
    equal(replay(t, t.path("rec"), **methods), zerospan.out, "the replay")


def refused(t, *args, **env):
    """Exit 2, and what it says."""
    done = subprocess.run([lib.built("zerospan"), *args], capture_output=True, text=True,
                          check=False, timeout=10, env={**os.environ, **env})
    equal(done.returncode, 2, f"exit status; {done.stderr}")
    equal(done.stdout, "", "stdout")
    return done.stderr


def test_mistakes_start_nothing(t):
    """File, line, key; and neither a command was run nor a file written."""
    bad = t.write("bad.yaml", "routes:\n  - /a\n  - users/{id}\n")
    message = f"zerospan: error: {bad}:3: routes: \"users/{{id}}\" must begin with '/'\n"
    touched = t.path("touched")
    equal(refused(t, "run", "--config", bad, "--record", t.path("rec"), "--output", t.path("out"), "--",
                  "/bin/touch", touched), message, "message")
    equal(refused(t, "trace", "--config", bad, "--pid", str(os.getpid())), message, "message")
    equal(refused(t, "replay", "--config", bad, t.path("rec")), message, "message")
    equal(refused(t, "config", "check", bad), message, "message")
    check("KNOWN_METHODS: \"G T\" is no HTTP method" in
          refused(t, "run", "--", "/bin/touch", touched,
                  OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS="G T"), "message")
    for name in ("touched", "rec", "out"):
        check(not os.path.exists(t.path(name)), f"{name} is there")


def test_check(t):
    good = t.write("good.yaml", ROUTES % "unset")
    done = subprocess.run([lib.built("zerospan"), "config", "check", good], capture_output=True,
                          text=True, check=False, timeout=10)
    equal((done.returncode, done.stdout, done.stderr),
          (0, f"{good}: 4 routes, other paths have none\n", ""), "config check")
