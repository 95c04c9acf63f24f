# SPDX-License-Identifier: Apache-2.0
"""What io_uring moves is not seen: that is said, counted, and never covered by a guess."""
import os

import lib
import observer
from http_raw import Client
from lib import Skip, check, equal, wait_for

CAUSE = "io_uring_call_unseen"


def serve(t):
    process = t.start(lib.PYTHON, os.path.join(lib.HERE, "uring_server.py"))
    wait_for(lambda: process.out.endswith("\n") or process.status is not None, "the server's port")
    if process.status == 77:
        raise Skip("the kernel refuses io_uring")
    return process, int(process.out)


def test_blind_spot_is_counted(t):
    process, port = serve(t)
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--listen", "127.0.0.1:0", "--pid", process.pid)
    zerospan.wait_ready()
    client = Client(port)
    equal(client.get("/1").status, 201, "answer by calls")
    zerospan.wait_spans(1)
    equal(zerospan.metrics().lost().get(CAUSE), None, "calls of io_uring so far")
    for n in range(2, 7):
        equal(client.get(f"/{n}").status, 200 + n, "answer")
    wait_for(lambda: zerospan.metrics().lost().get(CAUSE, 0) >= 6, "the calls of io_uring to be counted")
    client.close()
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
    lost = zerospan.metrics().lost()
    spans = zerospan.finish()
    for span in spans:
        number = int(span.get("url.path")[1:])
        check(number % 2, f"{span} was received by io_uring")
        check(span.get("http.response.status_code") in (200 + number, None),
              f"{span} has the status {span.get('http.response.status_code')} of another request")
    t.note(f"{len(spans)} of 3 requests that came by calls are seen; {lost[CAUSE]:.0f} calls of io_uring")
    check(zerospan.summary().lost > 0, "the summary names no loss")


def test_check_names_it(t):
    """`zerospan check` says that io_uring is there and not seen."""
    check("io_uring" in t.run(lib.built("zerospan"), "check").out, "check does not name io_uring")
