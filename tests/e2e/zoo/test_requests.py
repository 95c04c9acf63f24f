# SPDX-License-Identifier: Apache-2.0
"""Single requests of all sorts to each server: one span for each line of its access log, saying the same."""
import lib
import observer
from lib import check, equal
from zoo import keepers, works

# What a span and a log may differ in time, since they begin and end at different moments of one request: less than
# the pause in works.post
APART_S = 0.25


def compare_times(entry, span):
    apart = APART_S * lib.SLOWNESS
    check(span.seconds > 0, f"{span} took no time")
    if entry.seconds is not None:
        check(abs(span.seconds - entry.seconds) < apart,
              f"{entry} took {entry.seconds:.3f} s by the log, and {span.seconds:.3f} s by its span")


def compare(server, entry, asked, span):
    equal(entry[:3], asked[:3], "the log's line and the request that was made")
    path, query = entry.target.split("?")
    equal((span.get("http.request.method"), span.get("url.path"), span.get("url.query"),
           span.get("http.response.status_code")),
          (entry.method, path, query, entry.status), f"what is in {span}")
    equal(span.kind, "SERVER", f"kind of {span}")
    equal(span.status, "UNSET" if entry.status < 500 else "ERROR", f"status of {span}")
    equal(span.get("error.type"), None if entry.status < 500 else str(entry.status), f"error.type of {span}")
    equal(span.get("zerospan.capture"), None, f"capture of {span}")
    check(span.resource["process.executable.name"].startswith(server.comm), f"process of {span}")
    body = span.get("http.response.body.size") or 0
    equal(body, asked.body_bytes, f"bytes of body of {span}")
    if entry.body_bytes is not None and path != server.chunked:  # some count the chunks' own lines
        equal(body, entry.body_bytes, f"bytes of body by the log of {entry}")
    compare_times(entry, span)


def by_target(items, target, what):
    found = {target(item): item for item in items}
    equal(len(found), len(items), f"{what} that are different from each other")
    return found


def requests(t, make):
    server = make(t)
    zerospan = observer.observe(t, "--pid", server.pid)
    visitor = works.Visitor(t, server)
    for work in works.offered(server):
        work(visitor)
    zerospan.wait_spans(len(visitor.asked))
    entries = by_target(server.finish(), lambda entry: entry.target, "lines of the log")
    spans = by_target([s for s in zerospan.finish() if s.kind == "SERVER"],
                      lambda s: f"{s.get('url.path')}?{s.get('url.query')}", "spans")
    asked = by_target(visitor.asked, lambda a: a.target, "requests")
    equal(set(entries), set(asked), "requests in the log")
    equal(set(spans), set(entries), "requests that have a span")
    for target, entry in entries.items():
        compare(server, entry, asked[target], spans[target])
    summary = zerospan.summary()
    equal(summary.lost, 0, "losses")
    equal(summary.coverage_pct, 100, "HTTP bytes seen, %")
    compare_bytes(t, server, list(entries.values()), summary)


def compare_bytes(t, server, entries, summary):
    """All bytes of the connections, in front and to the server behind, are in logs: zerospan has as many."""
    t.note(f"{len(entries)} requests, as many spans, {summary.http_bytes:.0f} HTTP bytes")
    if server.counts_all_bytes:
        entries = entries + (server.behind.finish() if server.behind else [])
        logged = sum(entry.received_bytes + entry.sent_bytes for entry in entries)
        check(0 <= logged - summary.http_bytes <= server.counts_twice * len(entries),
              f"{logged} bytes in the log, {summary.http_bytes:.0f} seen")


for name, make in keepers.SERVERS.items():
    keepers.add_test(globals(), name, requests, make)
