#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Was a complete checkout of the shop seen? Reads OTLP/JSON lines (one TracesData object per line).

A checkout that succeeded is complete when one trace holds exactly these spans under each other, by span ids:

    POST /checkout                 SERVER
    |- INSERT orders               CLIENT
    |- POST /inventory/deduct      CLIENT
    |  `- POST /inventory/deduct   SERVER
    |     |- SELECT inventory      CLIENT
    |     `- UPDATE inventory      CLIENT
    `- UPDATE orders               CLIENT

with siblings in this order and no span before its parent. Prints how many were; status 0 when one was (with --all: when
all were), else 1 with what was missing. Also for import: read_spans(), checkouts(),
by_parent(), missing_of().
"""
import argparse
import json
import sys

SERVER, CLIENT = 2, 3
NAMES = {SERVER: "SERVER", CLIENT: "CLIENT"}

DEDUCT = (SERVER, "POST /inventory/deduct", [
    (CLIENT, "SELECT inventory", []),
    (CLIENT, "UPDATE inventory", []),
])
CHECKOUT = (SERVER, "POST /checkout", [
    (CLIENT, "INSERT orders", []),
    (CLIENT, "POST /inventory/deduct", [DEDUCT]),
    (CLIENT, "UPDATE orders", []),
])


class Span:
    """One span of an OTLP/JSON line; attributes as a dict, times in nanoseconds."""

    def __init__(self, raw):
        self.trace_id = raw["traceId"]
        self.id = raw["spanId"]
        self.parent_id = raw.get("parentSpanId", "")
        self.kind = raw.get("kind", 0)
        self.name = raw["name"]
        self.start_ns = int(raw["startTimeUnixNano"])
        self.end_ns = int(raw["endTimeUnixNano"])
        self.attributes = {a["key"]: value_of(a["value"]) for a in raw.get("attributes", [])}

    def __str__(self):
        return f"{NAMES.get(self.kind, self.kind)} {self.name!r}"

    @property
    def operation(self):
        """What the span did, whatever its name: method and path, or the statement's summary."""
        a = self.attributes
        if "http.request.method" in a:
            path = a.get("url.path") or "/" + a.get("url.full", "").partition("://")[2].partition("/")[2]
            return f"{a['http.request.method']} {path.partition('?')[0]}"
        return a.get("db.query.summary", self.name)


def value_of(value):
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return [value_of(v) for v in value["arrayValue"].get("values", [])]
    return next(iter(value.values()), None)


def read_spans(path):
    """All spans of a file."""
    spans = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.strip():
                continue
            for resource in json.loads(line).get("resourceSpans", []):
                for scope in resource.get("scopeSpans", []):
                    spans += [Span(raw) for raw in scope.get("spans", [])]
    return spans


def checkouts(spans, status=200):
    """The SERVER spans of checkouts that were answered with this status."""
    return [s for s in spans if s.kind == SERVER and s.operation == "POST /checkout"
            and s.attributes.get("http.response.status_code") == status]


def by_parent(spans):
    """Parent's span id -> its children, earliest first."""
    children = {}
    for span in sorted(spans, key=lambda s: s.start_ns):
        children.setdefault(span.parent_id, []).append(span)
    return children


def missing_of(span, children_of, shape=CHECKOUT):
    """What is wrong below this span, in words; an empty list when all is as it should be.

    children_of is what by_parent() made of all spans, of other traces too.
    """
    kind, operation, wanted = shape
    problems = []
    if (span.kind, span.operation) != (kind, operation):
        return [f"{span} is not {NAMES[kind]} {operation!r}"]
    children = children_of.get(span.id, [])
    for child in children:
        if child.trace_id != span.trace_id:
            problems.append(f"{child} has another trace id than its parent {span}")
        if child.start_ns < span.start_ns or child.start_ns > span.end_ns:
            problems.append(f"{child} does not begin within its parent {span}")
    have = [(c.kind, c.operation) for c in children]
    want = [(w[0], w[1]) for w in wanted]
    if have != want:
        problems += [f"{NAMES[k]} {o!r} missing below {span}" for k, o in want if (k, o) not in have]
        problems += [f"{NAMES.get(k, k)} {o!r} does not belong below {span}"
                     for k, o in have if (k, o) not in want]
        return problems or [f"below {span} in another order or number: {[o for _, o in have]}"]
    for child, below in zip(children, wanted):
        problems += missing_of(child, children_of, below)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--all", action="store_true", help="every successful checkout must be complete")
    args = parser.parse_args()
    spans = read_spans(args.file)
    children_of = by_parent(spans)

    incomplete = []
    seen = checkouts(spans)
    for root in seen:
        problems = missing_of(root, children_of)
        if problems:
            incomplete.append((root, problems))
    complete = len(seen) - len(incomplete)
    if not seen:
        print(f"no successful POST /checkout among {len(spans)} spans")
        return 1
    print(f"{complete} of {len(seen)} successful checkouts seen as one complete trace each"
          " (both requests, the call between them, four SQL statements)")
    if complete and not (args.all and incomplete):
        return 0
    for root, problems in sorted(incomplete, key=lambda item: len(item[1]))[:3]:
        print(f"trace {root.trace_id}:")
        for problem in problems:
            print(f"  {problem}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
