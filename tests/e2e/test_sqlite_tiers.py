# SPDX-License-Identifier: Apache-2.0
"""SQLite probes within their budget: less detail where it is too dear, more when it no longer is."""
import collections
import json
import re
import subprocess

import lib
import observer
from lib import check, equal, wait_for

# So much CPU time of a process is looked at together.
WINDOW_S = 5

# Reads words from stdin. heavy: a query of three rows in every few milliseconds of work; light: one such query a second, and
# no work, since even a query can cost milliseconds after a rest, when all caches are cold; modest: one in a second, but a lot of
# work. Each query has a name of its own. One more is stepped once in each round: it was begun before, is begun anew when it
# becomes heavy, and ends at "end".
WORK = """
import sqlite3, sys, threading, time
db = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
db.execute("create table t (a)")
db.execute("insert into t values (1), (2), (3)")
SPANNING = "with recursive c (x) as (select 1 union all select x + 1 from c) select x as spanning from c"
long = db.execute(SPANNING)
state = {"word": sys.argv[1]}
last = None

def listen():
    for line in sys.stdin:
        state["word"] = line.strip()

threading.Thread(target=listen, daemon=True).start()
n = 0
while state["word"] != "end":
    work, pause = {"heavy": (0.004, 0), "light": (0, 1), "modest": (0.2, 0.8)}.get(state["word"], (0, 0))
    end = time.thread_time() + work
    if state["word"] == "heavy" != last:
        long = db.execute(SPANNING)
    last = state["word"]
    long.fetchone()
    assert len(db.execute(f"select a as q{n} from t").fetchall()) == 3
    n += 1
    while time.thread_time() < end:
        pass
    time.sleep(pause)
    print(n, flush=True)
long.close()
print("ran", n, flush=True)
"""


class Work:
    def __init__(self, t, word):
        self.process = t.start(lib.PYTHON, t.write("work.py", WORK), word, stdin=subprocess.PIPE)
        self.pid = self.process.pid
        wait_for(lambda: self.process.out, "the program to run", 20)

    def tell(self, word):
        self.process.popen.stdin.write(word.encode() + b"\n")
        self.process.popen.stdin.flush()

    def end(self):
        """Number of the queries that it ran."""
        self.tell("end")
        equal(self.process.wait(20), 0, "exit status")
        return int(self.process.out.split()[-1])


def changes(zerospan):
    """(process, from, to) in the order in which they were logged."""
    return re.findall(r"SQLite in (.*): detail (\w+) -> (\w+),", zerospan.err)


def wait_changes(zerospan, n, seconds=60):
    wait_for(lambda: len(changes(zerospan)) >= n,
             lambda: f"change {n} of the detail, so far {changes(zerospan)}", seconds)


def tiers(zerospan):
    """As numbers, of all processes."""
    return sorted(value for _, value in zerospan.metrics().select("zerospan_sqlite_tier"))


def zerospan_losses(zerospan):
    """By cause, from the summary."""
    found = re.search(r"\d+ lost(?: \((.*?)\))?;", zerospan.err)
    return {cause: int(n) for n, cause in re.findall(r"(\d+) (\w+)", found[1] or "")}


def spans_in(path, last_lines=None):
    """Of all lines, or of the last ones; a line is a trace."""
    with open(path, encoding="utf-8") as f:
        lines = collections.deque(f, last_lines)
    return sorted((s for line in lines for s in observer.spans_of(json.loads(line))), key=lambda s: s.start)


def number_of(span):
    found = re.search(r"\bq(\d+)\b", span.get("db.query.text"))
    return int(found[1]) if found else None


def expect_spans(spans, ran):
    """In the order of the queries, each at most once, and of each either all is right or nothing is said."""
    known = [s for s in spans if number_of(s) is not None]
    equal([s.get("db.query.text") for s in spans if number_of(s) is None], [], "other statements")
    numbers = [number_of(s) for s in known]
    equal(numbers, sorted(set(numbers)), "order of the queries")
    check(numbers[-1] < ran, "a query that was never run")
    brief = [s for s in known if s.get("zerospan.sqlite.detail")]
    for span in known:
        if span in brief:
            equal((span.get("zerospan.sqlite.detail"), span.get("db.response.returned_rows"),
                   span.start), ("statements", None, span.end), f"{span}")
        else:
            equal(span.get("db.response.returned_rows"), 3, f"rows of {span}")
        equal(span.status, "UNSET", f"status of {span}")
    return numbers, {number_of(s) for s in brief}


@lib.deadline(240)
def test_down_and_up(t):
    """A busy process is stepped down twice, and up again when it has become quiet; one beside it that works as much never is."""
    busy, modest = Work(t, "light"), Work(t, "modest")
    zerospan = observer.start(t, "run", "--format", "otlp-json", "--output", t.path("spans"),
                              "--listen", "127.0.0.1:0", "--budget", "0.05", "--pid", busy.pid,
                              "--pid", modest.pid, env={"OTEL_EXPORTER_OTLP_ENDPOINT": ""})
    zerospan.wait_ready()
    busy.tell("heavy")
    wait_changes(zerospan, 2)
    who = f"python3 (pid {busy.pid})"
    equal(changes(zerospan), [(who, "full", "statements"), (who, "statements", "off")], "changes")
    wait_for(lambda: tiers(zerospan) == [0, 3], "the tiers in the metrics")
    busy.tell("light")
    wait_for(lambda: changes(zerospan)[-1][2] == "full", "full detail to come back", 90)
    made = changes(zerospan)  # there may have been a try before it was light
    equal(made[-2:], [(who, "off", "statements"), (who, "statements", "full")], "changes")
    wait_for(lambda: tiers(zerospan) == [3, 3], "the tiers in the metrics")
    metrics = zerospan.metrics()
    for tier, direction, before in (("statements", "down", "full"), ("off", "down", "statements"),
                                    ("statements", "up", "off"), ("full", "up", "statements")):
        equal(metrics.sum("zerospan_sqlite_tier_changes_total", tier=tier, direction=direction),
              made.count((who, before, tier)), f"changes {direction} to {tier}")
    check(metrics.sum("zerospan_sqlite_untimed_total") > 0, "statements told briefly")
    check(metrics.sum("zerospan_sqlite_unobserved_seconds_total") > 5, "time in off")
    # From now on all is told again.
    before = len(busy.process.out.split()) + 1
    wait_for(lambda: len(busy.process.out.split()) > before + 5, "five more queries", 30)
    ran, ran_modest = busy.end(), modest.end()
    equal(zerospan.stop(), 0, "exit status")
    spans = spans_in(t.path("spans"))
    instances = {s.resource["service.instance.id"] for s in spans}
    of = {len([s for s in spans if s.resource["service.instance.id"] == i and
               s.get("zerospan.sqlite.detail")]): i for i in instances}
    mine = [s for s in spans if s.resource["service.instance.id"] == of[max(of)]]
    others = [s for s in spans if s.resource["service.instance.id"] == of[min(of)]]
    numbers, brief = expect_spans(mine, ran)
    numbers_modest, brief_modest = expect_spans(others, ran_modest)
    equal(brief_modest, set(), "queries of the modest process that were told briefly")
    equal(numbers_modest, list(range(numbers_modest[0], ran_modest)), "queries of the modest process")
    check(set(range(before, ran)) <= set(numbers) - brief, "the last queries are not all told whole")
    gaps = [(a, b) for a, b in zip(numbers, numbers[1:]) if b - a > 2]
    equal(len(gaps), sum(to == "off" for _, _, to in made), f"times without statements: {gaps}")
    check(f"SQLite: detail changed {len(made)} times for --budget; "
          f"{len(brief)} statements told without duration" in zerospan.err, "the summary tells of it")
    # Those that were begun before count as such when they end, if they were stepped since; the one that went
    # on through all tiers counts as cut, and so does a query that was under way at a change.
    causes = zerospan_losses(zerospan)
    equal(sorted(causes), ["statement_begin_unseen", "statement_cut_by_tier"], "causes of losses")
    check(causes["statement_begin_unseen"] <= 2 and
          causes["statement_cut_by_tier"] <= 1 + len(made), f"lost: {causes}")
    t.note(f"{len(numbers) - len(brief)} told whole, {len(brief)} briefly, "
           f"{sum(b - a - 1 for a, b in gaps)} not; lost: {causes}")


# Point queries from memory, one after the other; prints nanoseconds per query.
TIGHT = """
import sqlite3, sys, time
db = sqlite3.connect(":memory:", isolation_level=None)
db.execute("create table t (a integer primary key, b)")
db.executemany("insert into t values (?, ?)", [(n, n) for n in range(100)])
while True:
    begin = time.thread_time_ns()
    for n in range(20000):
        db.execute("select b from t where a = ?", (n % 100,)).fetchone()
    print((time.thread_time_ns() - begin) // 20000, flush=True)
"""


@lib.deadline(120)
def test_tight_loop(t):
    """The default budget saves a program that does nothing else; nothing is lost without being counted."""
    tight = t.start(lib.PYTHON, t.write("tight.py", TIGHT))
    wait_for(lambda: tight.out.count("\n") >= 3, "the program to run", 20)
    bare = min(int(word) for word in tight.out.split())
    zerospan = observer.observe_run(t, "--pid", tight.pid)
    seen = [len(tight.out.split())]
    for n in (1, 2):
        wait_changes(zerospan, n, 60)
        seen.append(len(tight.out.split()))
    equal([to for _, _, to in changes(zerospan)[:2]], ["statements", "off"], "changes")
    lib.wait_stable(lambda: zerospan.metrics().sum("zerospan_sqlite_probe_hits_total"), "hits")
    seen.append(len(tight.out.split()))
    wait_for(lambda: len(tight.out.split()) > seen[-1] + 3, "the program to go on")
    times = [int(word) for word in tight.out.split()]
    parts = [sorted(times[a:b]) for a, b in ((seen[0], seen[1]), (seen[1] + 1, seen[2]))]
    off = sorted(times[seen[3]:])
    t.note(f"nanoseconds per query: {bare} before, {parts[0][len(parts[0]) // 2]} in full, "
           f"{parts[1][len(parts[1]) // 2]} as statements, {off[0]} when off")
    lost = zerospan.metrics().lost()
    # Attached between its first row and its end, and changed there: one query each time.
    check(lost.pop("statement_begin_unseen", 0) <= 1 and
          lost.pop("statement_cut_by_tier", 0) <= 2 and not lost, f"lost: {lost}")
    equal(zerospan.stop(), 0, "exit status")


# Mostly preparations that fail.
REFUSED = """
import sqlite3, sys
db = sqlite3.connect(":memory:", isolation_level=None)
for n in range(10 ** 9):
    for i in range(100):
        try:
            db.execute("select nope")
        except sqlite3.Error:
            pass
    db.execute("select ?", (n,)).fetchall()
    if n % 200 == 0:
        print(n, flush=True)
"""


@lib.deadline(120)
def test_preparations_go_first(t):
    """Where that is enough only they are given up: executions are told whole on."""
    refused = t.start(lib.PYTHON, t.write("refused.py", REFUSED))
    wait_for(lambda: refused.out.count("\n") >= 3, "the program to run", 20)
    zerospan = observer.start(t, "run", "--format", "none", "--output", t.path("spans"),
                              "--listen", "127.0.0.1:0", "--budget", "35", "--pid", refused.pid)
    zerospan.wait_ready()
    wait_changes(zerospan, 1, 60)
    equal([to for _, _, to in changes(zerospan)], ["executions"], "changes")
    before = lib.cpu_seconds(refused.pid)
    wait_for(lambda: lib.cpu_seconds(refused.pid) > before + 2.5 * WINDOW_S, "the program to go on", 60)
    equal(tiers(zerospan), [2], "the tier in the metrics")
    equal([to for _, _, to in changes(zerospan)], ["executions"], "changes")
    equal(zerospan.stop(seconds=40), 0, "exit status")
    last = spans_in(t.path("spans"), 1000)
    equal({(s.get("db.query.text"), s.get("db.response.returned_rows"), s.get("zerospan.sqlite.detail"))
           for s in last}, {("select ?", 1, None)}, "what is told now")


@lib.deadline(120)
def test_without_limit(t):
    """--budget 100: whatever it costs. Beyond the time after which the default would have stepped down."""
    tight = t.start(lib.PYTHON, t.write("tight.py", TIGHT))
    zerospan = observer.observe_run(t, "--budget", "100", "--pid", tight.pid)

    def cost():
        return zerospan.metrics().sum("zerospan_sqlite_probe_time_seconds_total")

    wait_for(lambda: cost() > 7, "seven seconds in probes", 60)
    equal(changes(zerospan), [], "changes")
    lost = zerospan.metrics().lost()
    equal(zerospan.stop(), 0, "exit status")
    check(lost.pop("statement_begin_unseen", 0) <= 1 and not lost, f"lost, beside what ran when we came: {lost}")


@lib.deadline(120)
def test_a_command_and_its_children(t):
    """Their probes are shared, so is their detail: what they cost together counts."""
    script = t.write("family.sh", f"{lib.PYTHON} {t.write('tight.py', TIGHT)} >/dev/null & child=$!\n"
                                  "read word; kill $child; exit 5\n")
    zerospan = observer.start(t, "run", "--format", "none", "--listen", "127.0.0.1:0", "--budget", "5",
                              "--", "/bin/sh", script, stdin=subprocess.PIPE)
    wait_changes(zerospan, 2, 60)
    equal(changes(zerospan)[:2], [("the command and what it started", "full", "statements"),
                                  ("the command and what it started", "statements", "off")], "changes")
    zerospan.popen.stdin.write(b"end\n")
    zerospan.popen.stdin.flush()
    equal(zerospan.wait(20), 5, "exit status")
