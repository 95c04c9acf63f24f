# SPDX-License-Identifier: Apache-2.0
"""zerospan as the tests see it: started, its spans, its metrics, its summary."""
import json
import re
import signal
import urllib.request

import lib
from lib import Failure, check, wait_for

OPENMETRICS = "application/openmetrics-text"
KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT"}
STATUSES = {0: "UNSET", 1: "OK", 2: "ERROR"}


class Span:
    """One span of OTLP, attributes as a dict. Times are nanoseconds since the epoch."""

    def __init__(self, raw, resource):
        self.trace_id = raw["traceId"]
        self.span_id = raw["spanId"]
        self.parent_id = raw.get("parentSpanId", "")
        self.name = raw["name"]
        self.kind = KINDS.get(raw["kind"], raw["kind"])
        self.start = int(raw["startTimeUnixNano"])
        self.end = int(raw["endTimeUnixNano"])
        self.flags = raw.get("flags", 0)
        self.trace_state = raw.get("traceState", "")
        self.attrs = attributes(raw.get("attributes", []))
        self.links = raw.get("links", [])
        self.status = STATUSES[raw.get("status", {}).get("code", 0)]
        self.resource = resource

    @property
    def seconds(self):
        return (self.end - self.start) / 1e9

    @property
    def basis(self):
        return self.attrs.get("zerospan.parent.basis", "none")

    @property
    def sampled(self):
        return bool(self.flags & 1)

    def get(self, key):
        return self.attrs.get(key)

    def __repr__(self):
        return (f"<{self.kind} {self.name} {self.seconds * 1000:.2f} ms trace={self.trace_id[:8]} "
                f"id={self.span_id[:6]} parent={self.parent_id[:6] or '-'} by {self.basis}>")


def attributes(pairs):
    """OTLP/JSON KeyValues as a dict; a key that stands twice is wrong."""
    result = {}
    for pair in pairs:
        (kind, value), = pair["value"].items()
        check(pair["key"] not in result, f"attribute {pair['key']} stands twice")
        result[pair["key"]] = int(value) if kind == "intValue" else value
    return result


def spans_of(request):
    """All spans of one TracesData object, decoded from JSON."""
    return [Span(raw, attributes(group["resource"]["attributes"]))
            for group in request["resourceSpans"]
            for scope in group["scopeSpans"]
            for raw in scope["spans"]]


class LogRecord:
    """One log record of OTLP; times are nanoseconds since the epoch."""

    def __init__(self, raw, resource):
        self.time = int(raw["timeUnixNano"])
        self.observed = int(raw["observedTimeUnixNano"])
        self.severity = raw.get("severityNumber", 0)
        self.severity_text = raw.get("severityText", "")
        self.body = raw["body"]["stringValue"]
        self.attrs = attributes(raw.get("attributes", []))
        self.trace_id = raw.get("traceId", "")
        self.span_id = raw.get("spanId", "")
        self.resource = resource

    @property
    def stream(self):
        return self.attrs["log.iostream"]

    def __repr__(self):
        return (f"<{self.stream} {self.severity_text or '-'} {self.body[:120]!r} "
                f"trace={self.trace_id[:8] or '-'} span={self.span_id[:6] or '-'}>")


def logs_of(request):
    """All records of one LogsData object, decoded from JSON."""
    return [LogRecord(raw, attributes(group["resource"]["attributes"]))
            for group in request["resourceLogs"]
            for scope in group["scopeLogs"]
            for raw in scope["logRecords"]]


def tree(spans):
    """Spans as indented text, for messages."""
    ids = {s.span_id for s in spans}
    lines = []

    def show(span, depth):
        lines.append("  " * depth + repr(span))
        for child in sorted((s for s in spans if s.parent_id == span.span_id),
                            key=lambda s: s.start):
            show(child, depth + 1)

    for root in sorted((s for s in spans if s.parent_id not in ids), key=lambda s: s.start):
        show(root, 0)
    return "\n".join(lines)


class Metrics:
    """A Prometheus text exposition, parsed strictly enough to notice nonsense."""

    LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')

    def __init__(self, text):
        self.samples = []  # (name, labels, value)
        self.types = {}
        check(not text or text.endswith("\n"), "/metrics does not end with a line end")
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                check(name not in self.types, f"/metrics: {name} has two TYPE lines")
                self.types[name] = kind
            elif line and not line.startswith("# "):
                self._sample(line)
        seen = [(name, tuple(sorted(labels.items()))) for name, labels, _ in self.samples]
        check(len(seen) == len(set(seen)), "/metrics has a series twice")

    def _sample(self, line):
        match = self.LINE.match(line)
        check(match, f"/metrics: not a sample: {line!r}")
        labels, at, text = {}, 0, match.group(2) or ""
        while at < len(text):
            label = self.LABEL.match(text, at)
            check(label, f"/metrics: bad labels: {line!r}")
            labels[label.group(1)] = label.group(2)
            at = label.end()
        name = match.group(1)
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        check(name in self.types or base in self.types, f"/metrics: {name} has no TYPE")
        self.samples.append((name, labels, float(match.group(3))))

    def select(self, name, **labels):
        return [(have, value) for key, have, value in self.samples if key == name and
                all(have.get(k) == v for k, v in labels.items())]

    def sum(self, name, **labels):
        return sum(value for _, value in self.select(name, **labels))

    def own(self, name):
        """The sum of zerospan's own: of no observed service."""
        return sum(value for labels, value in self.select(name) if "job" not in labels)

    def lost(self):
        """Losses by cause, only those that happened."""
        return {labels["cause"]: value for labels, value in self.select("zerospan_lost_total")
                if value}


class Summary:
    """The last lines on stderr."""

    def __init__(self, text):
        def number(pattern):
            match = re.search(pattern, text)
            check(match, f"the summary on stderr has no '{pattern}'")
            return float(match.group(1))

        self.spans = number(r"(\d+) spans in \d+ traces")
        self.traces = number(r"\d+ spans in (\d+) traces")
        self.processes = number(r"from (\d+) process")
        self.events = number(r"(\d+) events")
        self.lost = number(r"(\d+) lost")
        self.coverage_pct = number(r"([\d.]+) % of \d+ HTTP bytes")
        self.http_bytes = number(r"% of (\d+) HTTP bytes")


class Zerospan(lib.Process):
    """An observer. Made by observe() or observe_run(); `trace` ones write OTLP/JSON to stdout."""

    def wait_ready(self, seconds=15.0):
        def ready():
            if re.search(r"^zerospan: observing", self.err, re.M):
                return True
            check(self.status is None, f"zerospan ended with {self.status}: {self.err.strip()}")
            return False

        wait_for(ready, "zerospan to observe", seconds)

    def stop(self, number=signal.SIGINT, seconds=15.0):
        """End it; its exit status."""
        self.signal(number)
        return self.wait(seconds)

    # --- spans on stdout

    def lines(self):
        """Complete lines of stdout, decoded."""
        text = self.out
        try:
            return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        except ValueError as error:
            raise Failure(f"stdout is not one JSON object per line: {error}") from None

    def spans(self, **attrs):
        """Spans so far; with attrs those that have them (dots as __)."""
        want = {key.replace("__", "."): value for key, value in attrs.items()}
        return [span for line in self.lines() if "resourceLogs" not in line for span in spans_of(line)
                if all(span.get(key) == value for key, value in want.items())]

    def wait_spans(self, n, seconds=10.0, **attrs):
        """At least n such spans."""
        wait_for(lambda: len(self.spans(**attrs)) >= n,
                 lambda: f"{n} spans with {attrs}, there are\n{tree(self.spans(**attrs))}", seconds)
        return self.spans(**attrs)

    # --- log records on stdout (--logs)

    def logs(self):
        return [record for line in self.lines() if "resourceLogs" in line for record in logs_of(line)]

    def wait_log(self, text, seconds=10.0):
        """The first record whose body has this text in it."""
        def found():
            return next((record for record in self.logs() if text in record.body), None)

        return wait_for(found, lambda: f"a line with {text!r}, there are {self.logs()[-20:]}", seconds)

    def finish(self):
        """End it by SIGINT, which must succeed; all spans there ever were."""
        lib.equal(self.stop(), 0, "exit status after SIGINT")
        return self.spans()

    def summary(self):
        return Summary(self.err)

    # --- /metrics of `zerospan run`

    @property
    def metrics_url(self):
        def url():
            match = re.search(r"metrics at (http://\S+)", self.err)
            return match and match.group(1)

        return wait_for(url, "zerospan to say where /metrics is")

    def metrics_text(self, seconds=3.0):
        with urllib.request.urlopen(self.metrics_url, timeout=seconds * lib.SLOWNESS) as answer:
            return answer.read().decode()

    def page_text(self):
        """What a browser is shown."""
        with urllib.request.urlopen(self.metrics_url.removesuffix("metrics"), timeout=5 * lib.SLOWNESS) as answer:
            return answer.read().decode()

    def openmetrics_text(self):
        """The same with exemplars."""
        request = urllib.request.Request(self.metrics_url, headers={"Accept": OPENMETRICS + ";version=1.0.0"})
        with urllib.request.urlopen(request, timeout=5 * lib.SLOWNESS) as answer:
            check(answer.headers["Content-Type"].startswith(OPENMETRICS), answer.headers["Content-Type"])
            return answer.read().decode()

    def metrics(self):
        return Metrics(self.metrics_text())


# On a machine that is slower than a usual one, a wait that is to be looked at lasts so long, for each time that it is.
LOOKED_AT_MS = 500


def looked_at_ms(ms):
    """How long to wait where ms are enough on a usual machine for zerospan to look at who waits, and to tell where, before it is over."""
    return ms if lib.SLOWNESS == 1 else max(ms, round(LOOKED_AT_MS * lib.SLOWNESS))


def start(test, *args, **how):
    """Start zerospan with any arguments and wait for nothing."""
    return test.start(lib.built("zerospan"), *args, kind=Zerospan, **how)


def observe(test, *targets, program=(), **how):
    """`zerospan trace … --format otlp-json`, ready."""
    command = ["--", *program] if program else []
    observer = start(test, "trace", "--format", "otlp-json", *targets, *command, **how)
    observer.wait_ready()
    return observer


def observe_run(test, *targets, **how):
    """`zerospan run`, ready, metrics on a port of its own, nothing on the terminal."""
    observer = start(test, "run", "--format", "none", "--listen", "127.0.0.1:0", *targets, **how)
    observer.wait_ready()
    return observer


def descendants(spans, root):
    """root and all below it."""
    result, known = [root], {root.span_id}
    rest = [s for s in spans if s.trace_id == root.trace_id and s is not root]
    while True:
        more = [s for s in rest if s.parent_id in known]
        if not more:
            return result
        result += more
        known |= {s.span_id for s in more}
        rest = [s for s in rest if s not in more]


def one(spans, what, **attrs):
    """The only span with these properties (name, kind, or attributes with dots as __)."""
    def fits(span):
        for key, value in attrs.items():
            have = getattr(span, key) if key in ("name", "kind", "basis", "parent_id", "status",
                                                 "trace_id") else span.get(key.replace("__", "."))
            if have != value:
                return False
        return True

    found = [s for s in spans if fits(s)]
    check(len(found) == 1, f"expected one span {what}, found {len(found)} among\n{tree(spans)}")
    return found[0]
