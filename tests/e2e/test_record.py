# SPDX-License-Identifier: Apache-2.0
"""Recordings: a replay is what the live run was, and recording never stands in its way."""
import os
import re
import signal
import stat

import lib
import observer
from lib import check, equal, wait_for
from nginx import Load, Nginx
from shop import MODELS, Shop

RUNS_TOGETHER = True


def record(t, *targets, command="trace", **how):
    """zerospan with --record and its traces in a file, ready."""
    zerospan = observer.start(t, command, "--format", "none", "--record", t.path("rec"), "--output",
                              t.path("live.json"), *targets, **how)
    zerospan.wait_ready()
    return zerospan


def read(path):
    with open(path, "rb") as f:
        return f.read()


def replay(t, *files, status=0):
    """The traces of the recordings, and the process."""
    process = t.start(lib.built("zerospan"), "replay", "--format", "none", "--output",
                      t.path("replay.json"), *files, kind=observer.Zerospan)
    equal(process.wait(30), status, f"exit status of replay: {process.err}")
    return read(t.path("replay.json")), process


def expect_identical(t, zerospan):
    live = read(t.path("live.json"))
    again, process = replay(t, t.path("rec"))
    check(live, "nothing was written live")
    check(again == live, f"the replay differs: {len(again)} bytes, live {len(live)}")
    for line in ("spans in", "parents:", "proof:"):
        def words(text, line=line):
            return re.search(f"^zerospan: .*{line}.*$", text, re.M).group(0).rsplit(" in ", 1)[0]
        equal(words(process.err), words(zerospan.err), "summary of the replay")
    return live


def traffic(t, shop, seconds=3, rate=60):
    process = t.start(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--rate", rate,
                      "--duration", seconds)
    equal(process.wait(30), 0, f"traffic: {process.err}")


def one_model(t, model):
    """A shop under mixed traffic, from before the observer came until after it left."""
    shop = Shop(t, model)
    traffic(t, shop, 1)
    zerospan = record(t, "--pid", shop.pid)
    traffic(t, shop)
    equal(zerospan.stop(), 0, "exit status")
    live = expect_identical(t, zerospan)
    equal(stat.S_IMODE(os.stat(t.path("rec")).st_mode), 0o600, "mode of the recording")
    t.note(f"{len(live.splitlines())} traces, {os.path.getsize(t.path('rec'))} bytes recorded")


def test_thread_per_connection(t):
    one_model(t, MODELS[0])


def test_pool(t):
    one_model(t, MODELS[1])


def test_event_loop(t):
    one_model(t, MODELS[2])


def test_processes_that_come_and_go(t):
    """Children, executions, processes that are gone before anyone looked: all of it is in the recording."""
    lib.tool("sqlite3", "sqlite3")
    script = "for i in 1 2 3; do sqlite3 $0 'create table if not exists t(i); select i from t'; done"
    zerospan = record(t, "--", "/bin/sh", "-c", script, t.path("one.db"))
    equal(zerospan.wait(20), 0, f"exit status: {zerospan.err}")
    live = expect_identical(t, zerospan)
    equal(live.count(b'"db.query.text"'), 6, "statements")


def test_nginx_under_load(t):
    """All that reached the reader is in the recording; what a busy machine lost before it is told there, too."""
    nginx = Nginx(t)
    zerospan = observer.start(t, "run", "--format", "none", "--listen", "127.0.0.1:0", "--record",
                              t.path("rec"), "--pid", nginx.pid)
    zerospan.wait_ready()
    load = Load(t, f"http://127.0.0.1:{nginx.port}/hello", seconds=3)
    served = load.finish()
    equal(zerospan.stop(), 0, "exit status")
    size = os.path.getsize(t.path("rec"))
    _, process = replay(t, t.path("rec"))
    live, again = zerospan.summary(), process.summary()
    equal((again.spans, again.events, again.lost), (live.spans, live.events, live.lost),
          "spans, events, losses of the replay")
    check(live.lost or live.spans >= served, f"{live.spans} spans, {served} requests, none lost")
    check("not in the recording" not in zerospan.err, zerospan.err)
    t.note(f"{served} requests at {load.rate:.0f}/s, {size / served:.0f} bytes recorded for each; "
           f"{live.lost:.0f} lost; "
           + re.search("cost: .*", zerospan.err).group(0))


def test_killed_observer(t):
    """What was written until a second before is there; the end is missed, and named."""
    shop = Shop(t)
    zerospan = record(t, "--pid", shop.pid)
    shop.client().get("/")
    wait_for(lambda: os.path.getsize(t.path("rec")) > 0 and b"GET /" in read(t.path("rec")),
             "the request to be recorded")
    zerospan.stop(signal.SIGKILL)
    traces, process = replay(t, t.path("rec"), status=1)
    check(b'"GET /"' in traces, "the request is not in the replay")
    check("the file ends before the recording does" in process.err, process.err)


def test_full_disk(t):
    """One warning, counted; traces go on."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--record", "/dev/full", "--pid", shop.pid)
    for _ in range(3):
        shop.client().get("/")
    zerospan.wait_spans(3, url__path="/")
    wait_for(lambda: "No space left" in zerospan.err, "the warning")
    equal(len(zerospan.finish()), 3, "spans")
    equal(zerospan.err.count("No space left"), 1, "warnings")
    check(re.search(r"\d+ of \d+ inputs are not in the recording '/dev/full'", zerospan.err),
          zerospan.err)


def test_several_recordings(t):
    """One after the other, each with its own clock; one that cannot be used does not hide the others."""
    shop = Shop(t)
    lives = []
    for name in ("first", "second"):
        zerospan = record(t, "--pid", shop.pid)
        shop.client().get("/" + name)
        wait_for(lambda: read(t.path("live.json")), "the trace")
        equal(zerospan.stop(), 0, "exit status")
        os.rename(t.path("rec"), t.path(name))
        lives.append(read(t.path("live.json")))
    traces, _ = replay(t, t.path("first"), t.path("second"))
    equal(traces, b"".join(lives), "traces of both")
    traces, process = replay(t, t.path("first"), t.path("missing"), t.path("second"), status=1)
    equal(traces, b"".join(lives), "traces of both")
    check("missing': No such file" in process.err, process.err)


def test_nowhere_to_record(t):
    shop = Shop(t)
    zerospan = observer.start(t, "trace", "--record", t.path("no/such/folder"), "--pid", shop.pid)
    equal(zerospan.wait(), 2, "exit status")
    check("cannot record to" in zerospan.err, zerospan.err)
