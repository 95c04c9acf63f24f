# SPDX-License-Identifier: Apache-2.0
"""Each server under wrk -c64 for 5 s: as many requests counted, and as many spans, as its log has lines."""
import collections

import lib
import observer
from lib import check, equal, wait_stable
from nginx import Load
from zoo import keepers

CONNECTIONS = 64
SECONDS = 5
PATIENCE_S = 30  # http.server has a short queue: connections wait for a second try, and a third
COUNT = "http_server_request_duration_seconds_count"
CALLS = "http_client_request_duration_seconds_count"
TARGET = "/small.txt"


def by_outcome(metrics):
    """Requests by (status, error.type); "" where there is none."""
    counts = collections.Counter()
    for labels, n in metrics.select(COUNT):
        counts[labels.get("http_response_status_code", ""), labels.get("error_type", "")] += int(n)
    return counts


def load(t, make):
    server = make(t)
    zerospan = observer.observe_run(t, "--port", server.port)
    wrk = Load(t, server.url(TARGET), seconds=SECONDS, connections=CONNECTIONS,
               patience=PATIENCE_S)
    done = wrk.finish(may_close=server.closes_when_busy)
    wait_stable(lambda: zerospan.metrics().sum(COUNT), "the count")
    metrics = zerospan.metrics()
    entries = server.finish()
    equal(zerospan.stop(), 0, "exit status")
    summary = zerospan.summary()
    t.note(f"{len(entries)} lines in the log, {summary.spans:.0f} spans, {summary.lost:.0f} lost; wrk: "
           f"{done} requests, {wrk.rate:.0f}/s")
    t.note(f"by status and error: {dict(by_outcome(metrics))}")
    unanswered = expect_all(entries, metrics, done, wrk.closed)
    calls = metrics.sum(CALLS)
    if server.behind:
        equal(calls, len(server.behind.finish()), "calls, of which the server behind has a line each")
    equal(summary.spans, len(entries) + calls + unanswered, "spans in the summary")
    equal(metrics.lost(), {}, "losses by cause")
    equal(summary.lost, 0, "losses in the summary")
    equal(summary.coverage_pct, 100, "HTTP bytes seen, %")


def expect_all(entries, metrics, done, closed):
    """All that is in the log was counted. So many connections were closed instead of an answer; how many of them with a request that is in no
    log."""
    counts = by_outcome(metrics)
    logged = collections.Counter(str(entry.status) for entry in entries)
    equal({entry[:2] for entry in entries}, {("GET", TARGET)}, "what wrk asked")
    check(len(entries) >= done > 500, f"{len(entries)} lines in the log, wrk counts {done}")
    unanswered = min(counts["", "connection_closed"], closed)
    equal(sum(counts.values()), len(entries) + unanswered, f"requests in all, which are {counts}, the log's {logged}")
    # wrk drops its connections at the end: an answer to nobody fails when the server has written it.
    errors = sum(n for (_, error), n in counts.items() if error)
    check(errors <= CONNECTIONS, f"more requests failed than wrk has connections: {counts}")
    return unanswered


for name, make in keepers.SERVERS.items():
    keepers.add_test(globals(), name, load, make)
