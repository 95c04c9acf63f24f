# SPDX-License-Identifier: Apache-2.0
"""A client that does not take what it asked for: a server, whether it waits in the write, in a poll, or has another thread go on, has
waited for room in the socket; its answer to another client has not."""
import socket
import time

import lib
import observer
import truth
from http_raw import Client, request_bytes
from lib import check, equal
from observer import one
from zoo import keepers
from zoo.server import BIG_BYTES

PAUSE_MS = 400
# They write parts that the socket takes whole, and wait to be told that there is room before they write the next one: nobody else is told
# what they wait for.
UNSEEN = ("lighttpd", "php")


def slow_client(t, name, make):
    server = make(t)
    zerospan = observer.observe(t, "--port", server.port)
    slow, quick = Client(server.port, timeout=30.0), Client(server.port, timeout=30.0)
    slow.send(request_bytes("GET", server.big))
    slow.socket.recv(1, socket.MSG_PEEK)
    time.sleep(PAUSE_MS / 2e3)
    if server.keeps_alive:
        equal(quick.get(server.small).status, 200, "status for somebody else")
    time.sleep(PAUSE_MS / 2e3)
    equal(len(slow.read_response().body), BIG_BYTES, "bytes of the large file")
    slow.close()
    quick.close()
    spans = zerospan.finish()
    truth.expect_sums(spans, False)
    span = one(spans, "of the large file", kind="SERVER", url__path=server.big)
    have = truth.ledger(span)
    t.note(f"{(span.end - span.start) / 1e6:.0f} ms: {truth.shown(have)}")
    waited_ms = sum(have.values()) - have["cpu"] - have["runqueue"]
    check(waited_ms >= PAUSE_MS / 2 or lib.SLOWNESS > 1, f"the client was away for {PAUSE_MS} ms: {truth.shown(have)}")
    check(have["other" if name in UNSEEN else "net_send"] >= 0.8 * waited_ms > 0, f"it waited for something else: {truth.shown(have)}")
    for other in spans:
        if other.get("url.path") == server.small:
            equal(truth.ledger(other)["net_send"], 0, f"net_send of {other}")
    equal(zerospan.summary().lost, 0, "losses")


for name, maker in keepers.SERVERS.items():
    keepers.add_test(globals(), name, slow_client, name, maker)
