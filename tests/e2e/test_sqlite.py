# SPDX-License-Identifier: Apache-2.0
"""SQLite in programs nobody here wrote: the sqlite3 shell and Python's module."""
import json
import subprocess
import time

import lib
import observer
from lib import check, equal, wait_for
from observer import tree


def statements(spans):
    """(summary, rows, error code) in the order of time. Summaries keep the case of the text."""
    spans = sorted((s for s in spans if s.get("db.system.name") == "sqlite"), key=lambda s: s.start)
    return [(s.get("db.query.summary"), s.get("db.response.returned_rows"),
             s.get("db.response.status_code")) for s in spans]


def run_observed(t, *command, **how):
    """`zerospan trace … -- COMMAND`, to its end; the observer, and the spans from its file."""
    zerospan = observer.start(t, "trace", "--format", "otlp-json", "--output", t.path("spans"), "--",
                              *command, **how)
    zerospan.wait(20)
    with open(t.path("spans"), encoding="utf-8") as f:
        spans = [s for line in f for s in observer.spans_of(json.loads(line))]
    return zerospan, spans


def expect_database(t, spans):
    """The file's name is read from the process: one that has ended keeps it to itself."""
    names = [span.get("db.namespace") for span in spans]
    check(set(names) <= {None, t.path("file.db")}, f"databases {set(names)}")
    if None in names:
        t.note(f"{names.count(None)} of {len(names)} statements without db.namespace: the process "
               "had ended")


def test_shell_command(t):
    """Every statement from the first on, in order, with rows, and the shell's exit status."""
    shell = lib.tool("sqlite3", "sqlite3")
    zerospan, spans = run_observed(
        t, shell, t.path("file.db"),
        "create table t (a integer primary key, b text); "
        "insert into t values (1, 's3cr3t'), (2, 'x'), (3, 'y'); "
        "select * from t; select count(*) from t where b = 's3cr3t'; select a from t where a > 99; "
        "delete from t where a = 3; insert into t values (1, 'again'); select 'never run'")
    equal(zerospan.status, 19, "exit status (that of the shell: constraint)")
    check(zerospan.out.startswith("1|s3cr3t\n2|x\n3|y\n1\n"), "the shell's own output")
    equal(statements(spans), [
        ("create table t", 0, None), ("insert t", 0, None), ("select t", 3, None),
        ("select t", 1, None), ("select t", 0, None), ("delete t", 0, None),
        ("insert t", 0, "1555")], f"statements in\n{tree(spans)}\n")
    failed = spans[[s.status for s in spans].index("ERROR")]
    equal(failed.get("error.type"), "1555", "error.type")
    for span in spans:
        equal(span.kind, "CLIENT", f"kind of {span}")
        equal(span.basis, "none", f"basis of {span}")
        check("s3cr3t" not in json.dumps(span.attrs), f"a literal is in {span.attrs}")
    expect_database(t, spans)
    equal(spans[3].get("db.query.text"), "select count(*) from t where b = ?;", "text")
    equal(zerospan.summary().lost, 0, "losses")


def test_shell_command_repeatedly(t):
    """The start is a race between the program and the probes; none may be lost."""
    shell = lib.tool("sqlite3", "sqlite3")
    for n in range(8):
        _, spans = run_observed(t, shell, ":memory:", f"select {n}; select 1 union select 2")
        equal([rows for _, rows, _ in statements(spans)], [1, 2], f"rows in run {n}\n{tree(spans)}\n")


class Shell:
    """A running sqlite3 shell that is fed through a pipe."""

    def __init__(self, t, database):
        self.process = t.start(lib.tool("sqlite3", "sqlite3"), "-batch", database,
                               stdin=subprocess.PIPE)
        self.n = 0

    def execute(self, sql):
        self.n += 1
        mark = f"done-{self.n}-"
        self.process.popen.stdin.write(f"{sql}\n.print {mark}\n".encode())
        self.process.popen.stdin.flush()
        wait_for(lambda: mark in self.process.out, f"the shell to run {sql!r}")


def test_attach_to_running_shell(t):
    shell = Shell(t, t.path("file.db"))
    shell.execute("create table t (a integer); insert into t values (1), (2), (3);")
    zerospan = observer.observe(t, "--pid", shell.process.pid)
    shell.execute("select a from t;")
    shell.execute("update t set a = a + 40 where a = 2;")
    shell.execute("select nothing from nowhere;")  # refused when prepared
    shell.execute("begin; insert into t values (4); rollback;")
    spans = zerospan.wait_spans(6)
    zerospan.finish()
    equal(statements(spans), [("select t", 3, None), ("update t", 0, None),
                              ("select nowhere", None, "1"), ("begin", 0, None),
                              ("insert t", 0, None), ("rollback", 0, None)], "statements")
    check("40" not in [s.get("db.query.text") for s in spans][1], "the literal is in the text")
    equal(spans[0].get("db.namespace"), t.path("file.db"), "database")


def test_locked_database(t):
    """SQLITE_BUSY, and how long the statement waited for it."""
    holder, loser = Shell(t, t.path("file.db")), Shell(t, t.path("file.db"))
    holder.execute("create table t (a); begin immediate; insert into t values (1);")
    zerospan = observer.observe(t, "--pid", loser.process.pid)
    loser.execute(".timeout 300\ninsert into t values (2);")
    holder.execute("commit;")
    loser.execute("insert into t values (3);")
    spans = zerospan.wait_spans(2)
    zerospan.finish()
    equal(statements(spans), [("insert t", 0, "5"), ("insert t", 0, None)], "statements")
    equal(spans[0].status, "ERROR", "status")
    check(0.25 < spans[0].seconds < 3, f"a wait of 0.3 s lasted {spans[0].seconds} s")


def test_long_text(t):
    """Text beyond what is captured is cut, not lost; its summary stands."""
    shell = Shell(t, t.path("file.db"))
    shell.execute("create table t (a, b);")
    zerospan = observer.observe(t, "--pid", shell.process.pid)
    for size in (300, 420, 3000, 4090, 4100, 9000, 60000):
        shell.execute(f"insert into t (a, b) values (1, '{'s3cr3t' * (size // 6)}');")
    spans = zerospan.wait_spans(7)
    zerospan.finish()
    equal(statements(spans), [("insert t", 0, None)] * 7, "statements")
    check("s3cr3t" not in zerospan.out, "a long literal is in the output")


def test_abandoned_and_empty(t):
    """LIMIT and EXISTS make programs stop in the middle of the rows."""
    script = t.write("abandon.py", """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("create table t (a)")
db.executemany("insert into t values (?)", [(n,) for n in range(100)])
cursor = db.execute("select a from t order by a")
cursor.fetchone(); cursor.fetchone()
cursor.close()
assert db.execute("select a from t where a < 0").fetchall() == []
db.close()
""")
    _, spans = run_observed(t, lib.PYTHON, script, t.path("file.db"))
    found = statements(spans)
    equal(found[0], ("create table t", 0, None), "first statement")
    equal(found[1:101], [("insert t", 0, None)] * 100, "executions of one prepared statement")
    check(found[101][0] == "select t" and 2 <= found[101][1] <= 3 and found[101][2] is None,
          f"the abandoned query is {found[101]}")
    equal(found[102:], [("select t", 0, None)], "the empty query")


PYTHON_SCRIPT = """
import sqlite3, sys, threading
def work(name):
    db = sqlite3.connect(sys.argv[1], timeout=20)
    with db:
        db.execute("create table if not exists " + name + " (a integer primary key, b text)")
    with db:
        db.execute("insert into " + name + " values (1, 's3cr3t')")
        db.execute("insert into " + name + " values (?, ?)", (2, "s3cr3t"))
    try:
        db.execute("insert into " + name + " values (1, 'x')")
    except sqlite3.IntegrityError:
        db.rollback()
    assert len(db.execute("select * from " + name).fetchall()) == 2
    db.close()
work("first")
thread = threading.Thread(target=work, args=("second",))
thread.start(); thread.join()
sys.exit(7)
"""


def test_python_module(t):
    script = t.write("script.py", PYTHON_SCRIPT)
    zerospan, spans = run_observed(t, lib.PYTHON, script, t.path("file.db"))
    equal(zerospan.status, 7, "exit status")
    check("s3cr3t" not in json.dumps([s.attrs for s in spans]), "a literal is in the spans")
    for table in ("first", "second"):
        mine = [s for s in statements(spans) if table in s[0]]
        equal(mine, [(f"create table {table}", 0, None), (f"insert {table}", 0, None),
                     (f"insert {table}", 0, None), (f"insert {table}", 0, "1555"),
                     (f"select {table}", 2, None)], f"statements on {table} in\n{tree(spans)}\n")
    others = [s[0] for s in statements(spans) if "first" not in s[0] and "second" not in s[0]]
    equal(sorted(set(others)), ["BEGIN", "COMMIT", "ROLLBACK"], "other statements")
    expect_database(t, spans)
    equal(zerospan.summary().lost, 0, "losses")


def test_python_loaded_late(t):
    """The library is mapped while zerospan watches already."""
    script = t.write("late.py", """
import sys
sys.stdin.readline()
import sqlite3
db = sqlite3.connect(":memory:")
for n, line in enumerate(sys.stdin):
    db.execute("select 1 union select 2").fetchall()
    print(f"done-{n}-", flush=True)
""")
    process = t.start(lib.PYTHON, script, stdin=subprocess.PIPE)
    zerospan = observer.observe(t, "--pid", process.pid)
    begin, done = time.monotonic(), 0
    process.popen.stdin.write(b"\n")

    def another():
        nonlocal done
        process.popen.stdin.write(b"\n")
        process.popen.stdin.flush()
        wait_for(lambda: f"done-{done}-" in process.out, "the script's statement")
        done += 1
        return zerospan.spans()

    wait_for(another, "a statement after the library came", 5)
    t.note(f"traced {time.monotonic() - begin:.2f} s after the library was asked for")
    # The first may have been under way when the probes came: its rows until then nobody saw.
    seen = len(zerospan.spans())
    another()
    zerospan.wait_spans(seen + 1)
    statement = zerospan.finish()[-1]
    equal(statement.get("db.response.returned_rows"), 2, "rows")


def test_two_databases(t):
    """Connections of one process to different files are told apart."""
    shell = Shell(t, t.path("one.db"))
    shell.execute("create table t (a);")
    shell.execute(f"attach '{t.path('attached.db')}' as other;")
    shell.execute(".connection 1")
    shell.execute(f".open {t.path('two.db')}")
    shell.execute("create table t (a);")
    zerospan = observer.observe(t, "--pid", shell.process.pid)
    shell.execute("insert into t values (2);")
    shell.execute(".connection 0")
    shell.execute("insert into t values (1);")
    spans = zerospan.wait_spans(2)
    zerospan.finish()
    equal([s.get("db.namespace") for s in spans], [t.path("two.db"), t.path("one.db")], "databases")


def test_connection_at_the_address_of_another(t):
    """A program closes its database and opens another: malloc gives the same address again."""
    shell = Shell(t, t.path("one.db"))
    shell.execute("create table t (a);")
    zerospan = observer.observe(t, "--pid", shell.process.pid)
    for done, name in enumerate(("two.db", "one.db", "three.db"), 1):
        shell.execute(f".open {t.path(name)}")
        shell.execute("create table if not exists t (a); insert into t values (1);")
        zerospan.wait_spans(2 * done)  # which file it is can be asked while it is open
    spans = [s for s in zerospan.finish() if s.name.startswith("insert")]
    equal([s.get("db.namespace") for s in spans],
          [t.path("two.db"), t.path("one.db"), t.path("three.db")], "databases")


def test_database_in_memory(t):
    """It has no file, and none is invented."""
    shell = Shell(t, ":memory:")
    zerospan = observer.observe(t, "--pid", shell.process.pid)
    shell.execute("create table m (a);")
    span, = zerospan.wait_spans(1)
    zerospan.finish()
    check("/" not in (span.get("db.namespace") or ""), f"db.namespace {span.get('db.namespace')!r}")
