# SPDX-License-Identifier: Apache-2.0
"""nginx: a server nobody here wrote, with processes, sendfile and keep-alive of its own."""
import os
import signal

import lib
import observer
from lib import check, equal, wait_stable
from nginx import Load, Nginx
from observer import one

REQUESTS = 100_000
COUNT = "http_server_request_duration_seconds_count"


def expect_spans(t, nginx, *target):
    nginx.file("page.html", b"<p>page</p>")
    nginx.file("big.bin", os.urandom(3_000_000))
    zerospan = observer.observe(t, *target)
    client = nginx.client()
    wanted = [("GET", "/hello", 200), ("GET", "/page.html", 200), ("HEAD", "/page.html", 200),
              ("GET", "/big.bin", 200), ("GET", "/not-there", 404), ("POST", "/hello", 200),
              ("GET", "/gone", 410), ("GET", "/broken", 503), ("GET", "/moved", 302),
              ("DELETE", "/page.html", 405), ("BREW", "/page.html", 405)]
    for method, path, status in wanted:
        body = b"x" * 70_000 if method == "POST" else b""
        answer = client.request(method, path, [("User-Agent", "e2e/1.0")], body)
        equal(answer.status, status, f"answer to {method} {path}")
    zerospan.wait_spans(len(wanted))
    spans = sorted(zerospan.finish(), key=lambda s: s.start)
    seen = [(s.get("http.request.method_original") or s.get("http.request.method"),
             s.get("url.path"), s.get("http.response.status_code")) for s in spans]
    equal(seen, wanted, "requests seen")
    workers = nginx.workers()
    for span in spans:
        equal(span.kind, "SERVER", f"kind of {span}")
        equal(span.basis, "none", f"basis of {span}")
        equal(span.get("network.peer.address"), "127.0.0.1", f"peer of {span}")
        equal(span.get("network.peer.port"), client.port, f"peer port of {span}")
        equal(span.get("user_agent.original"), "e2e/1.0", f"user agent of {span}")
        equal(span.get("server.port"), nginx.port, f"server port of {span}")
        failed = span.get("http.response.status_code") >= 500
        equal(span.status, "ERROR" if failed else "UNSET", f"status of {span}")
        equal(span.get("error.type"), "503" if failed else None, f"error.type of {span}")
        equal(span.resource["process.executable.name"], "nginx", f"process of {span}")
    equal(one(spans, "of an unknown method", url__path="/page.html",
              http__request__method_original="BREW").get("http.request.method"), "_OTHER", "method")
    equal(len({s.resource["service.instance.id"] for s in spans}), 1, "workers that answered")
    equal(len(workers), 2, "workers")
    equal(zerospan.summary().lost, 0, "losses")


def test_by_port(t):
    nginx = Nginx(t)
    expect_spans(t, nginx, "--port", nginx.port)


def test_by_master_pid(t):
    """The workers are children of the named process, from before zerospan."""
    nginx = Nginx(t)
    expect_spans(t, nginx, "--pid", nginx.pid)


def test_curl(t):
    nginx = Nginx(t)
    zerospan = observer.observe(t, "--port", nginx.port)
    curl = t.run(lib.tool("curl", "curl"), "-s", f"http://127.0.0.1:{nginx.port}/hello?q=1")
    equal(curl.out, "hello\n", "answer")
    zerospan.wait_spans(1)
    span, = zerospan.finish()
    equal((span.name, span.kind), ("GET /hello", "SERVER"), "name and kind")
    equal(span.get("url.query"), "q=1", "url.query")
    check(span.get("user_agent.original").startswith("curl/"), "user agent")


def test_reload_brings_new_workers(t):
    """Workers that nginx starts later are observed, too."""
    nginx = Nginx(t)
    old = set(nginx.workers())
    zerospan = observer.observe(t, "--pid", nginx.pid)
    nginx.process.signal(signal.SIGHUP)
    lib.wait_for(lambda: len(nginx.workers()) == 2 and not old & set(nginx.workers()),
                 "the new workers")
    equal(nginx.client().get("/hello").status, 200, "answer")
    zerospan.wait_spans(1, url__path="/hello")
    equal(len(zerospan.finish()), 1, "spans")


def expect_exact(t, nginx, zerospan, paths):
    """At least REQUESTS requests by wrk; what zerospan counted is what nginx served."""
    done = dict.fromkeys(paths, 0)
    for rounds in range(12):
        if sum(done.values()) >= REQUESTS and rounds >= len(paths):
            break
        path = paths[rounds % len(paths)]
        load = Load(t, f"http://127.0.0.1:{nginx.port}{path}", seconds=3)
        done[path] += load.finish()
        t.note(f"wrk {path}: {load.rate:.0f} requests/s")
    check(sum(done.values()) >= REQUESTS, f"only {done} requests: this machine is too slow")
    wait_stable(lambda: zerospan.metrics().sum(COUNT), "the count")
    metrics = zerospan.metrics()
    served = nginx.served()
    total = sum(served.values())
    check(total >= sum(done.values()), f"nginx served {total}, wrk counts {done}: the test is wrong")
    equal(metrics.lost(), {}, "losses by cause")
    equal(metrics.sum(COUNT), total, f"requests in all\n{metrics.select(COUNT)}\n")
    for path in paths:
        # wrk drops its connections at the end: the last answers have no reader, and no status then
        whole = metrics.sum(COUNT, http_route=path, http_request_method="GET")
        answered = metrics.sum(COUNT, http_route=path, http_response_status_code="200")
        equal(whole, sum(n for (_, line), n in served.items() if line == f"GET {path} HTTP/1.1"),
              f"requests for {path}")
        check(answered >= done[path], f"{path}: {answered} answers seen, wrk had {done[path]}")
        failed = sum(n for labels, n in metrics.select(COUNT, http_route=path)
                     if labels.get("error_type", "").startswith("connection_") and
                     "http_response_status_code" not in labels)
        equal(answered + failed, whole, "requests that have a status or an error, among\n"
              f"{metrics.select(COUNT, http_route=path)}\n")
    equal(zerospan.stop(), 0, "exit status")
    summary = zerospan.summary()
    equal(summary.spans, total, "spans in the summary")
    equal(summary.lost, 0, "losses in the summary")
    equal(summary.coverage_pct, 100, "HTTP bytes seen, %")
    t.note(f"{total} requests served, {summary.spans:.0f} spans, "
           f"{zerospan.err.strip().splitlines()[-1]}")


@lib.deadline(150)
def test_every_request_is_counted(t):
    nginx = Nginx(t)
    nginx.file("page.html", b"<p>page</p>" * 100)
    zerospan = observer.observe_run(t, "--pid", nginx.pid)
    expect_exact(t, nginx, zerospan, ["/hello", "/page.html"])


@lib.deadline(60)
def test_short_connections(t):
    """A connection for each request, with more clients than CPUs: threads and packets interrupt each other at the ends of connections."""
    nginx = Nginx(t)
    zerospan = observer.observe_run(t, "--pid", nginx.pid)
    load = Load(t, f"http://127.0.0.1:{nginx.port}/hello", header="Connection: close", patience=10)
    done = load.finish()
    wait_stable(lambda: zerospan.metrics().sum(COUNT), "the count")
    metrics, total = zerospan.metrics(), sum(nginx.served().values())
    skipped = sum(n for labels, n in metrics.select("zerospan_probe_skipped_total")
                  if "set_state" in labels["zerospan_probe"])
    t.note(f"{done} connections, {load.rate:.0f}/s; the kernel skipped {skipped:.0f} runs at their ends")
    equal(metrics.lost(), {}, "losses by cause")
    equal(metrics.sum(COUNT), total, "requests in all")
    check(total >= done, f"nginx served {total}, wrk counts {done}: the test is wrong")
    equal(zerospan.stop(), 0, "exit status")
    equal(zerospan.summary().lost, 0, "losses in the summary")


@lib.deadline(60)
def test_every_span_is_written(t):
    """The same with the spans themselves, to a file."""
    nginx = Nginx(t)
    zerospan = observer.observe(t, "--pid", nginx.pid)
    done = Load(t, f"http://127.0.0.1:{nginx.port}/hello", seconds=1).finish()
    total = sum(nginx.served().values())
    check(total >= done > 1000, f"nginx served {total}, wrk counts {done}")
    equal(zerospan.stop(), 0, "exit status")
    written = sum(len(scope["spans"]) for line in zerospan.lines()
                  for group in line["resourceSpans"] for scope in group["scopeSpans"])
    t.note(f"{total} requests in 1 s, {written} spans written, {zerospan.summary().lost:.0f} lost")
    equal(zerospan.summary().spans, total, "spans built")
    equal(zerospan.summary().lost, 0, "losses")
    equal(written, total, "spans written")
