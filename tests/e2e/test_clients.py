# SPDX-License-Identifier: Apache-2.0
"""The other side: programs that call, observed without the servers they call."""
import json
import os

import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for
from nginx import Nginx

RUNS_TOGETHER = True

CALLS = """
import http.client, sys, urllib.request, urllib.error
base = sys.argv[1]
for path in ("/hello?q=1", "/gone", "/broken"):
    try:
        urllib.request.urlopen(base + path).read()
    except urllib.error.HTTPError as error:
        error.read()
conn = http.client.HTTPConnection(base.split("//")[1])
for n in range(3):
    conn.request("POST", "/hello", b"x" * 100000)
    conn.getresponse().read()
"""


def run_client(t, *command):
    zerospan = observer.start(t, "trace", "--format", "otlp-json", "--output", t.path("spans"), "--",
                              *command)
    equal(zerospan.wait(60), 0, "exit status")
    equal(zerospan.summary().lost, 0, "losses")
    with open(t.path("spans"), encoding="utf-8") as f:
        spans = [s for line in f for s in observer.spans_of(json.loads(line))]
    return sorted(spans, key=lambda s: s.start)


def expect_calls(nginx, spans, calls):
    equal([(s.get("http.request.method"), s.get("url.full"), s.get("http.response.status_code"))
           for s in spans], [(m, f"http://127.0.0.1:{nginx.port}{p}", c) for m, p, c in calls],
          "calls seen")
    for span in spans:
        status = span.get("http.response.status_code")
        equal(span.kind, "CLIENT", f"kind of {span}")
        equal(span.get("server.address"), "127.0.0.1", f"server.address of {span}")
        equal(span.get("server.port"), nginx.port, f"server.port of {span}")
        equal(span.status, "ERROR" if status >= 400 else "UNSET", f"status of {span}")
        equal(span.get("error.type"), str(status) if status >= 400 else None, f"error.type of {span}")


def test_curl(t):
    """Two requests on one connection, the second refused."""
    nginx = Nginx(t)
    base = f"http://127.0.0.1:{nginx.port}"
    spans = run_client(t, lib.tool("curl", "curl"), "-s", base + "/hello", base + "/gone")
    expect_calls(nginx, spans, [("GET", "/hello", 200), ("GET", "/gone", 410)])


def test_curl_with_credentials(t):
    """A password in the URL or in a field stays where it is."""
    nginx = Nginx(t)
    run_client(t, lib.tool("curl", "curl"), "-s", "-H", "X-Api-Key: s3cr3t-key",
               f"http://user:s3cr3t-password@127.0.0.1:{nginx.port}/hello?sig=s3cr3t-sig")
    with open(t.path("spans"), encoding="utf-8") as f:
        check("s3cr3t" not in f.read(), "a credential is in the output")


def test_python_client(t):
    nginx = Nginx(t)
    script = t.write("calls.py", CALLS)
    spans = run_client(t, lib.PYTHON, script, f"http://127.0.0.1:{nginx.port}")
    expect_calls(nginx, spans, [("GET", "/hello?q=1", 200), ("GET", "/gone", 410),
                                ("GET", "/broken", 503)] + [("POST", "/hello", 200)] * 3)


def test_many_begun_at_once(t):
    """Each call of each child, although they begin and end beside each other."""
    nginx = Nginx(t)
    curl = lib.tool("curl", "curl")
    script = t.write("calls.sh", f"""
for loop in 1 2 3 4; do
    for n in $(seq 10); do {curl} -s -o /dev/null http://127.0.0.1:{nginx.port}/hello?n=$loop-$n; done &
done
wait""")
    spans = run_client(t, "/bin/bash", script)
    equal(sorted(s.get("url.full").split("n=")[1] for s in spans),
          sorted(f"{loop}-{n}" for loop in range(1, 5) for n in range(1, 11)), "calls")
    equal(len({s.resource["process.pid"] for s in spans}), len(spans), "processes")


def test_client_that_sends_traceparent(t):
    """It has a tracer of its own: its ids are the span's, and the server's parent is found."""
    nginx = Nginx(t)
    header = f"traceparent: 00-{'ab' * 16}-{'cd' * 8}-01"
    zerospan = observer.start(t, "trace", "--format", "otlp-json", "--output", t.path("spans"),
                              "--pid", nginx.pid, "--", lib.tool("curl", "curl"), "-s", "-H", header,
                              f"http://127.0.0.1:{nginx.port}/hello")
    equal(zerospan.wait(20), 0, "exit status")
    with open(t.path("spans"), encoding="utf-8") as f:
        spans = [s for line in f for s in observer.spans_of(json.loads(line))]
    client = observer.one(spans, "of the client", kind="CLIENT")
    server = observer.one(spans, "of the server", kind="SERVER")
    equal((client.trace_id, client.span_id), ("ab" * 16, "cd" * 8), "client's ids")
    equal((server.trace_id, server.parent_id), ("ab" * 16, "cd" * 8), "server's parents")


def test_proxy(t):
    """nginx before nginx: the call is the proxy's child, the other server the call's."""
    back = Nginx(t)
    front_dir = t.path("front")
    os.mkdir(front_dir)
    port = lib.free_port()
    config = t.write("front.conf", f"""
daemon off; worker_processes 1; pid {front_dir}/pid; error_log {front_dir}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {front_dir}/b; proxy_temp_path {front_dir}/p;
    fastcgi_temp_path {front_dir}/f; uwsgi_temp_path {front_dir}/u; scgi_temp_path {front_dir}/s;
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{back.port}; }} }}
}}""")
    t.start(lib.tool("nginx", "nginx-light"), "-c", config, "-e", front_dir + "/error.log")
    wait_for(lambda: lib.listens(port), "the proxy to listen")
    zerospan = observer.observe(t, "--port", port, "--port", back.port)
    equal(Client(port).get("/hello").status, 200, "answer")
    zerospan.wait_spans(3)
    spans = zerospan.finish()
    equal(len(spans), 3, "spans")
    call = observer.one(spans, "of the call", kind="CLIENT")
    outer = observer.one(spans, "of the proxy", kind="SERVER", server__port=port)
    inner = observer.one([s for s in spans if s not in (call, outer)], "of the back")
    equal((call.parent_id, call.basis), (outer.span_id, "thread"), "parent of the call")
    equal((inner.parent_id, inner.basis), (call.span_id, "socket"), "parent of the inner server")
    equal(len({s.trace_id for s in spans}), 1, "trace ids")
