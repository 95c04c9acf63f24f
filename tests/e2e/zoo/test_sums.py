# SPDX-License-Identifier: Apache-2.0
"""Of each span of programs that know nothing of ledgers, where its time went adds up to how long it took: the shop in each model,
and each server of the zoo, asked by several clients at once."""
import threading

import lib
import observer
import truth
from http_raw import Client
from lib import check, equal
from shop import MODELS, Shop
from zoo import keepers

CLIENTS, ROUNDS = 8, 5
# Where a thread may serve several requests and make calls for them, whose calls and statements they were is not always known; what a
# request without them waited for is unattributed then, which is one of the states.
UNSURE = ("pool", "event-loop", "nginx_proxy", "haproxy")
# Waits that there must be some of: a thread puts an answer aside that the client has no room for, and another one goes on with it.
WAITS = {"apache_event": ["net_send"]}


def expect_whole(t, zerospan, name, least, *waits):
    """The sums of all spans, of which there are so many at least; and in all there was some of each wait."""
    spans = zerospan.finish()
    check(len(spans) >= least, f"only {len(spans)} spans")
    truth.expect_sums(spans, name not in UNSURE)
    total = {state: sum(truth.ledger(span)[state] for span in spans) for state in truth.STATES}
    t.note(f"{len(spans)} spans, ms: {truth.shown(total)}")
    for state in ("cpu", *waits):
        check(total[state] > 0, f"no span has any {state}")
    equal(zerospan.summary().lost, 0, "losses")


def shop(t, model):
    target = Shop(t, model)
    zerospan = observer.observe(t, "--pid", target.pid)
    traffic = t.run(lib.built("traffic"), "--url", f"http://127.0.0.1:{target.port}", "--rate", 40, "--duration", 4,
                    "--connections", CLIENTS, "--mix", "default", seconds=30)
    equal(traffic.status, 0, "exit status of traffic")
    expect_whole(t, zerospan, model, 160, "sleep", "downstream")


def ask(server, failures):
    try:
        for _ in range(ROUNDS):
            for path in (server.small, server.big):
                client = Client(server.port, timeout=20.0)
                equal(client.get(path).status, 200, f"status of {path}")
                client.close()
    except Exception as error:  # noqa: BLE001 told by zoo()
        failures.append(error)


def zoo(t, name, make):
    server, failures = make(t), []
    zerospan = observer.observe(t, "--port", server.port)
    threads = [threading.Thread(target=ask, args=(server, failures), daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)
    check(not failures, f"a client failed: {failures[:1]}")
    expect_whole(t, zerospan, name, 2 * CLIENTS * ROUNDS, *WAITS.get(name, []))


for name in MODELS:
    keepers.add_test(globals(), f"shop_{name.replace('-', '_')}", shop, name)
for name, maker in keepers.SERVERS.items():
    keepers.add_test(globals(), name, zoo, name, maker)
