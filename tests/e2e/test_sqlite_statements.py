# SPDX-License-Identifier: Apache-2.0
"""The SQL of a whole workload, compared with what SQLite itself says it ran; statements that never ran;
and what a statement costs however much it returns."""
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess

import lib
import observer
from lib import check, equal, wait_for

RUNS_TOGETHER = True

# Runs a mix of statements, each with a name of its own in its text, and writes what SQLite's own trace
# says was executed, in order, with the rows that came back. argv: database, number of statements, file.
MIX = """
import json, random, sqlite3, sys
random.seed(7)
ran = []
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("pragma synchronous = off")
db.execute("create table t (a integer primary key, b text unique)")
db.set_trace_callback(ran.append)
rows = {}

def run(sql, *params, fetch=None):
    try:
        cursor = db.execute(sql, *params)
        got = cursor.fetchall() if fetch is None else cursor.fetchmany(fetch)
        rows.setdefault(sql.split()[-1], []).append(len(got))
        cursor.close()
    except sqlite3.Error as error:
        rows.setdefault(sql.split()[-1], []).append(type(error).__name__)

for n in range(int(sys.argv[2])):
    name = f"s{n}"
    kind = random.randrange(10)
    if kind == 0:
        run("begin" if not db.in_transaction else "commit")
    elif kind < 4:
        run(f"insert into t (b) select 'x{random.randrange(1000)}' as {name}")
    elif kind == 4:
        run(f"insert into t (b) select ? as {name}", (f"y{n}",))
    elif kind == 5:
        run(f"delete from t where a in (select max(a) from t) returning a as {name}")
    elif kind == 6:
        run(f"select a from t limit 7 as_never {name}")       # a syntax error: never runs
    elif kind == 7:
        run(f"with w as (select a from t limit {random.randrange(9)}) select a from w as {name}")
    elif kind == 8:
        run(f"select a from t as {name}", fetch=3)              # the rest is not wanted
    else:
        run(f"update t set b = b || '' where a = {n} returning a as {name}")
with open(sys.argv[3], "w") as f:
    json.dump([ran, rows], f)
"""

# Executes as many statements as each line that it reads says.
BURST = """
import sqlite3, sys
db = sqlite3.connect(":memory:", isolation_level=None)
print("ready", flush=True)
for line in sys.stdin:
    for n in range(int(line)):
        db.execute("select ?", (n,)).fetchall()
    print("done", flush=True)
"""

NAME = re.compile(r"\bs\d+\b")


def statements_of(path):
    with open(path, encoding="utf-8") as f:
        spans = [s for line in f for s in observer.spans_of(json.loads(line))]
    return sorted((s for s in spans if s.get("db.system.name") == "sqlite"), key=lambda s: s.start)


def name_of(sql):
    found = NAME.findall(sql)
    return found[-1] if found else sql.strip().lower()


@lib.deadline(120)
def test_ten_thousand_python_statements(t):
    """The same statements in the same order as SQLite's own trace has, with the same number of rows: no
    miss, no extra. Those that could not be prepared are there, too, and only they."""
    script = t.write("mix.py", MIX)
    zerospan = observer.start(t, "trace", "--format", "none", "--output", t.path("spans"), "--",
                              lib.PYTHON, script, t.path("file.db"), 10000, t.path("ran"))
    equal(zerospan.wait(100), 0, "exit status")
    spans = statements_of(t.path("spans"))
    with open(t.path("ran"), encoding="utf-8") as f:
        ran, rows = json.load(f)
    ran = [name_of(sql) for sql in ran]
    setup = [s for s in spans if name_of(s.get("db.query.text") or "") not in set(ran) and
             not s.get("zerospan.sqlite.phase")]
    check(len(setup) <= 4, f"statements SQLite knows nothing of: {setup[:9]}")
    executed = [s for s in spans if not s.get("zerospan.sqlite.phase") and s not in setup]
    seen = [name_of(s.get("db.query.text")) for s in executed]
    equal(len(seen), len(ran), "executions")
    for at, (have, want) in enumerate(zip(seen, ran)):
        check(have == want, f"execution {at} is {have}, SQLite says {want}")
    for span, name in zip(executed, seen):
        want = rows.get(name)
        if want and isinstance(want[0], int) and NAME.fullmatch(name):
            have = span.get("db.response.returned_rows")
            # Python looks one row ahead of what a program has fetched.
            check(have in (want[0], want[0] + 1) if want[0] == 3 else have == want[0],
                  f"{name} returned {want[0]} rows, not {have}")
    refused = [s for s in spans if s.get("zerospan.sqlite.phase") == "prepare"]
    errors = [name for name, what in rows.items() if what[0] == "OperationalError"]
    equal(sorted(name_of(s.get("db.query.text")) for s in refused), sorted(errors),
          "statements that could not be prepared")
    t.note(f"{len(seen)} executions and {len(refused)} refused preparations, as SQLite's own trace")


def test_shell_script(t):
    """The shell's .trace says what it ran."""
    shell = lib.tool("sqlite3", "sqlite3")
    lines = [".trace stderr", "create table t (a, b);", "begin;"]
    lines += [f"insert into t values ({n}, 'text');" for n in range(300)]
    lines += ["commit;", "select count(*) from t;", "select a from t where a < 50;",
              "delete from t where a % 2;", "select 1; select 2;", "select * from nope;"]
    script = t.write("script.sql", "\n".join(lines) + "\n")
    with open(script, "rb") as stdin:
        zerospan = observer.start(t, "trace", "--format", "none", "--output", t.path("spans"), "--",
                                  shell, t.path("file.db"), stdin=stdin)
        zerospan.wait(20)
    ran = [line for line in zerospan.err.splitlines()
           if re.match("create|begin|insert|commit|select|delete", line)]
    spans = statements_of(t.path("spans"))
    executed = [s for s in spans if not s.get("zerospan.sqlite.phase")]
    equal([re.match(r"\w+", s.get("db.query.text"))[0] for s in executed],
          [re.match(r"\w+", line)[0] for line in ran], "statements, as the shell says")
    rows = {s.get("db.query.text"): s.get("db.response.returned_rows") for s in executed}
    equal((rows["select count(*) from t;"], rows["select a from t where a < ?;"]), (1, 50), "rows")
    equal([s.get("db.query.text") for s in spans if s.get("zerospan.sqlite.phase")],
          ["select * from nope"], "statements that could not be prepared")


REFUSED = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("create table t (a)")
for sql in ("selec 'secret'", "select * from nope where b = 'secret'", "insert into t values (1, 2)"):
    try:
        db.execute(sql)
    except sqlite3.Error:
        pass
try:
    db.executescript("insert into t values (1); drop table nope; select 'never looked at'")
except sqlite3.Error:
    pass
"""


def test_preparation_that_fails(t):
    """Is a span with the statement's text, and only its, without literals."""
    zerospan = observer.start(t, "trace", "--format", "none", "--output", t.path("spans"), "--",
                              lib.PYTHON, t.write("refused.py", REFUSED), t.path("file.db"))
    zerospan.wait(20)
    refused = [s for s in statements_of(t.path("spans")) if s.get("zerospan.sqlite.phase")]
    equal([s.get("db.query.text") for s in refused],
          ["selec ?", "select * from nope where b = ?", "insert into t values (?, ?)",
           "drop table nope"], "texts")
    for span in refused:
        equal((span.kind, span.status, span.get("db.response.status_code"), span.get("error.type"),
               span.get("db.response.returned_rows")), ("CLIENT", "ERROR", "1", "1", None), f"{span}")


FIRST_REFUSED = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1]).execute("select * from nope")
except sqlite3.Error:
    pass
"""


def test_first_preparation_that_fails(t):
    """A connection's first statement makes SQLite read the schema, by preparing another one inside."""
    database = t.path("file.db")
    with contextlib.closing(sqlite3.connect(database)) as db:
        db.execute("create table t (a)")
    python = [lib.PYTHON, t.write("refused.py", FIRST_REFUSED), database]
    shell = [lib.tool("sqlite3", "sqlite3"), database, "select * from nope"]
    for name, command in ("python", python), ("shell", shell):
        spans = t.path(name)
        zerospan = observer.start(t, "trace", "--format", "none", "--output", spans, "--", *command)
        zerospan.wait(20)
        refused = [s for s in statements_of(spans) if s.get("zerospan.sqlite.phase")]
        equal([(s.get("db.query.text"), s.get("db.response.status_code")) for s in refused],
              [("select * from nope", "1")], f"{name}: what could not be prepared")
        equal(zerospan.summary().lost, 0, f"{name}: lost")


PREPARED_ANEW = """
import sqlite3, sys
a, b = (sqlite3.connect(sys.argv[1], isolation_level=None) for _ in range(2))
a.execute("create table t (x)")
a.execute("select x from t").fetchall()
b.execute("drop table t")
try:
    a.execute("select x from t")  # the same statement: only its step finds the schema changed
except sqlite3.Error:
    pass
"""


def test_prepared_anew_inside_a_step(t):
    """SQLite's own preparation that fails is the execution's error, told once."""
    zerospan = observer.start(t, "trace", "--format", "none", "--output", t.path("spans"), "--",
                              lib.PYTHON, t.write("anew.py", PREPARED_ANEW), t.path("file.db"))
    zerospan.wait(20)
    selects = [s for s in statements_of(t.path("spans")) if s.get("db.query.text") == "select x from t"]
    equal([(s.get("zerospan.sqlite.phase"), s.get("error.type")) for s in selects],
          [(None, None), (None, "1")], "both executions")
    equal(zerospan.summary().lost, 0, "losses")


SLOW_READER = """
import sqlite3, sys, time
db = sqlite3.connect(":memory:", isolation_level=None)
for row in db.execute("select 1 union all select 2 union all select 3"):
    time.sleep(0.1)
db.execute("select 1").fetchall()
"""


def test_time_between_steps(t):
    """A program that takes its time over each row is not SQLite being slow."""
    zerospan = observer.start(t, "trace", "--format", "none", "--output", t.path("spans"), "--",
                              lib.PYTHON, t.write("slow.py", SLOW_READER))
    zerospan.wait(20)
    slow, = [s for s in statements_of(t.path("spans")) if s.get("db.response.returned_rows") == 3]
    inside_ms = slow.get("zerospan.sqlite.inside_ms")
    check(slow.seconds >= 0.2, f"{slow} is shorter than its caller's pauses")
    check(inside_ms is not None and inside_ms < slow.seconds * 1e3 / 2, f"inside: {inside_ms} ms")


TRANSACTIONS = """
import sqlite3, sys
a, b = (sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0) for _ in range(2))
a.execute("create table t (x primary key)")
a.execute("begin immediate")
a.execute("insert into t values (1)")
try:
    b.execute("begin immediate")
except sqlite3.OperationalError:
    pass
a.execute("commit")
b.execute("begin")
b.execute("insert into t values (2)")
try:
    b.execute("insert or rollback into t values (2)")
except sqlite3.IntegrityError:
    pass
b.execute("select * from t").fetchall()
"""


def test_transactions(t):
    """Which statements belong to one, how it ended, how long it was; also when SQLite ended it."""
    zerospan = observer.start(t, "trace", "--format", "none", "--output", t.path("spans"), "--",
                              lib.PYTHON, t.write("tx.py", TRANSACTIONS), t.path("file.db"))
    zerospan.wait(20)
    key = "zerospan.sqlite.transaction."
    spans = statements_of(t.path("spans"))
    equal([(s.get("db.query.text").split()[0], s.get(key + "id"), s.get(key + "outcome"))
           for s in spans],
          [("create", None, None), ("begin", 1, None), ("insert", 1, None), ("begin", None, None),
           ("commit", 1, "commit"), ("begin", 2, None), ("insert", 2, None),
           ("insert", 2, "rollback"), ("select", None, None)], "transactions")
    for begin, end in ((spans[1], spans[4]), (spans[5], spans[7])):
        lasted_ms = (end.end - begin.start) / 1e6
        check(abs(end.get(key + "duration_ms") - lasted_ms) < 0.01, f"duration in {end}")


ROWS = """
import sqlite3, sys
db = sqlite3.connect(":memory:")
sys.stdin.readline()
n = sum(1 for row in db.execute("with recursive c (x) as (select 1 union all select x + 1 from c "
                                "where x < 1000000) select x from c"))
print(n, flush=True)
sys.stdin.readline()
"""


@lib.deadline(120)
def test_a_million_rows(t):
    """Are one record."""
    program = t.start(lib.PYTHON, t.write("rows.py", ROWS), stdin=lib.subprocess.PIPE)
    zerospan = observer.observe_run(t, "--budget", "100", "--pid", program.pid)
    program.popen.stdin.write(b"\n")
    program.popen.stdin.flush()
    lib.wait_for(lambda: "1000000" in program.out, "the rows", 90)
    lib.wait_for(lambda: zerospan.metrics().sum("db_client_operation_duration_seconds_count") == 1,
                 "the statement")
    equal(zerospan.stop(), 0, "exit status")
    equal(zerospan.summary().events, 1, "events")


@lib.deadline(60)
def test_full_ring(t):
    """A reader that does not read loses statements, and each of them counts once."""
    n = 60000
    program = t.start(lib.PYTHON, t.write("burst.py", BURST), stdin=subprocess.PIPE)
    wait_for(lambda: "ready" in program.out, "the program to run")
    zerospan = observer.start(t, "trace", "--format", "none", "--budget", "100", "--pid", program.pid)
    zerospan.wait_ready()
    os.kill(zerospan.pid, signal.SIGSTOP)
    program.popen.stdin.write(f"{n}\n".encode())
    program.popen.stdin.flush()
    wait_for(lambda: "done" in program.out, "the program to execute them", 30)
    os.kill(zerospan.pid, signal.SIGCONT)
    zerospan.finish()
    summary = zerospan.summary()
    check(summary.lost > 0, "nothing was lost")
    equal(summary.spans + summary.lost, n, "statements told and lost")
