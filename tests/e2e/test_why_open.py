# SPDX-License-Identifier: Apache-2.0
"""zerospan why: requests that have no answer when the observation ends, of servers that hang."""
import json
import re

import lib
import observer
import truth
from http_raw import Client
from lib import check, equal
from test_stacks import LOOP, SERVER, Server
from test_why import expect_match, flat, report, verdict

# It is observed for so long, and most of it hangs.
SECONDS = 5 * lib.SLOWNESS
LEAST_S = 0.6 * SECONDS

LISTED = r"([\d.]+) s GET {} lock ([\d.]+) s lock at {}"


def observe(t, server):
    process = observer.start(t, "why", "--pid", server.pid, "--duration", SECONDS, "--record", t.path("why.zsrec"))
    process.wait_ready()
    return process


def reports(t, process):
    """The text, and the same observation as JSON."""
    text = report(process)
    return text, json.loads(report(observer.start(t, "replay", "--format", "why-json", t.path("why.zsrec"))))


@lib.deadline(60)
def test_server_that_hangs(t):
    """Two requests wait for a lock for ever: each is told with its age, its ledger so far, and the function in which it waits."""
    server = Server(t, SERVER)
    process = observe(t, server)
    equal(Client(server.port).get("/sleep/0").status, 200, "status")
    clients = server.leave_open("/hang", "/hang")
    text, data = reports(t, process)
    head = verdict(text)
    none = expect_match(r"1\. GET /hang gives no answer 2 of 2 requests \(100 %\) had none, .* after ([\d.]+) s", head)
    lock = expect_match(r"; so far ([\d.]+) % of it is lock, at PyThread_acquire_lock_timed \(python3[\d.]*\)\.", head)
    check(float(lock[1]) >= 50, lock[0])
    observed_s = float(expect_match(r" in ([\d.]+) s: ", head)[1]) + 0.1  # rounded, as the ages are
    check(LEAST_S < float(none[1]) <= observed_s, f"observed for {observed_s} s: {none[0]}")
    listed = re.findall(LISTED.format("/hang", "PyThread_acquire_lock_timed"), flat(text))
    equal(len(listed), 2, f"open requests in\n{text}")
    for age_s, lock_s in listed:
        check(LEAST_S < float(lock_s) <= float(age_s) <= observed_s, f"observed for {observed_s} s: {listed}")
    equal(len(data["open_requests"]), 2, "open requests in JSON")
    for one in data["open_requests"]:
        equal((one["route"], one["state"]), ("GET /hang", "lock"), "open request")
        states = one["states_ms"]
        check(LEAST_S < states["lock"] / 1000 <= one["age_ms"] / 1000 <= observed_s, f"{one}")
        check(abs(sum(states.values()) - one["age_ms"]) <= 0.01 * one["age_ms"], f"{one}")
        check(one["frame"].startswith("PyThread_acquire_lock_timed ("), one["frame"])
        check(any("futex" in frame for frame in one["kernel"]), f"{one['kernel']}")
    for client in clients:
        client.close()


@lib.deadline(60)
def test_loop_that_hangs(t):
    """Of a loop that waits for a connection pool, the request that did it names the lock; those before it are queued since."""
    server = Server(t, LOOP)
    process = observe(t, server)
    clients = server.leave_open("/first", "/second")
    lib.wait_for(lambda: server.process.out.count("GET /") == 2, "both to be read while nothing hangs")
    clients += server.leave_open("/work")
    text, data = reports(t, process)
    expect_match(r"GET /work gives no answer .*; so far [\d.]+ % of it is lock, at PyThread_acquire_lock_timed", verdict(text))
    check(re.search(LISTED.format("/work", "PyThread_acquire_lock_timed"), flat(text)), text)
    opens = {one["route"]: one for one in data["open_requests"]}
    equal(set(opens), {"GET /first", "GET /second", "GET /work"}, "open requests")
    for path in ("/first", "/second"):
        one = opens[f"GET {path}"]
        check(one["states_ms"]["queued"] / 1000 > LEAST_S and one["age_ms"] > opens["GET /work"]["age_ms"], f"{one}")
    for client in clients:
        client.close()


@lib.deadline(60)
def test_mutex_that_is_kept(t):
    """The owner of the mutex for which an open request waits is named, with the line where it is; it wakes nobody."""
    server = truth.Server(t, "phases", t.dir)
    process = observe(t, server)
    client = server.client()
    client.send(b"GET /kept?lock=300000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    text, data = reports(t, process)
    expect_match(r"of it is lock, at \w+ \(\w+\.c:\d+\)\. The lock was held by \"phases\", thread \d+ of the same process, "
                 r"at \w+ \((?:clocks|partner)\.c:\d+\)(?:, serving [^;]*)?; evidence: the mutex named it as its owner during "
                 r"the wait\.", verdict(text))
    one, = data["open_requests"]
    check(re.fullmatch(r"\w+ \(\w+\.c:\d+\)", one["frame"]), f"{one}")
    client.close()
