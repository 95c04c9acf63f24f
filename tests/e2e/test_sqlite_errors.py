# SPDX-License-Identifier: Apache-2.0
"""The result codes of statements that fail, compared with what SQLite tells the program that asks for more."""
import json

import lib
import observer
from lib import check, equal

RUNS_TOGETHER = True

# Fails in many ways and prints the extended code of each failure: Python asks the connection for it, what it
# gets from sqlite3_step() is the primary one. argv: folder.
FAILURES = """
import os, sqlite3, sys
folder = sys.argv[1]

def connect(name, **how):
    db = sqlite3.connect(name if ":" in name else os.path.join(folder, name), isolation_level=None, timeout=0,
                         **how)
    db.execute("select 1")
    return db

def fails(db, sql, *params):
    try:
        db.execute(sql, *params).fetchall()
    except sqlite3.Error as error:
        print(error.sqlite_errorcode, error.sqlite_errorname, flush=True)
    else:
        print(0, sql, flush=True)

a = connect("file.db")
a.executescript('''
    pragma foreign_keys = on;
    create table t (id integer primary key, u unique, n not null default 0, c check (c < 9));
    create table p (a text primary key) without rowid;
    create table child (t references t (id), later references t (u) deferrable initially deferred);
    create table strict (i integer) strict;
    create table refusing (a);
    create trigger refuse before insert on refusing begin select raise(abort, 'no'); end;
    insert into t values (1, 1, 1, 1); insert into p values ('x');
''')
fails(a, "insert into t (id) values (1)")
fails(a, "insert into t (u) values (1)")
fails(a, "insert into t (n) values (null)")
fails(a, "insert into t (c) values (10)")
fails(a, "insert into p values ('x')")
fails(a, "insert into child (t) values (99)")
a.execute("begin")
a.execute("insert into child (later) values (99)")
fails(a, "commit")
a.execute("rollback")
fails(a, "insert into strict values ('word')")
fails(a, "insert into refusing values (1)")
fails(a, "insert into t (id) values ('word')")
fails(a, "select zeroblob(?)", (1 << 40,))
fails(a, "select abs(-9223372036854775808)")
fails(a, "select * from nope")
fails(a, "select 'a' collate nope as x order by x")
fails(a, "attach '/nowhere/at/all' as other")
a.execute("select count(*) from t").fetchall()  # the failed attach made it forget the schema
a.set_progress_handler(lambda: 1, 1)
fails(a, "select count(*) from t")
a.set_progress_handler(None, 0)

b = connect("file.db")
a.execute("begin immediate")
fails(b, "insert into t (u) values (2)")
a.execute("rollback")
a.execute("pragma journal_mode = wal")
b.execute("begin")
b.execute("select * from t").fetchall()
a.execute("insert into t (u) values (3)")
fails(b, "insert into t (u) values (4)")
b.execute("rollback")

reader = connect("file:" + os.path.join(folder, "file.db") + "?mode=ro", uri=True)
fails(reader, "insert into t (u) values (5)")
moved = connect("moved.db")
moved.execute("create table m (a)")
os.rename(os.path.join(folder, "moved.db"), os.path.join(folder, "elsewhere.db"))
fails(moved, "insert into m values (1)")
one, two = (connect("file:both?mode=memory&cache=shared", uri=True) for _ in range(2))
one.execute("create table s (a)")
one.execute("begin immediate")
one.execute("insert into s values (1)")
fails(two, "select * from s")
small = connect("small.db")
small.execute("pragma max_page_count = 2")
small.execute("create table f (a)")
fails(small, "insert into f values (zeroblob(100000))")
fails(a, "insert into t (u) values (1)")
"""


def trace(t, script, *args):
    """Statement spans in the order of time, and what the script wrote."""
    zerospan = observer.start(t, "trace", "--format", "none", "--output", t.path("spans"), "--",
                              lib.PYTHON, t.write("script.py", script), *args)
    equal(zerospan.wait(30), 0, "exit status")
    with open(t.path("spans"), encoding="utf-8") as f:
        spans = [s for line in f for s in observer.spans_of(json.loads(line))]
    return sorted((s for s in spans if s.get("db.system.name") == "sqlite"),
                  key=lambda s: s.start), zerospan.out.split("\n")[:-1]


def test_extended_codes(t):
    """On the span of each failure and on no other, although the program is only told the primary code."""
    spans, told = trace(t, FAILURES, t.dir)
    check(not [line for line in told if line.startswith("0 ")], f"did not fail: {told}")
    failed = [s for s in spans if s.status == "ERROR"]
    equal([s.get("db.response.status_code") for s in failed], [line.split()[0] for line in told],
          f"codes; SQLite says {told} of\n{observer.tree(failed)}\n")
    for span in spans:
        equal(span.get("error.type"), span.get("db.response.status_code"), f"error.type of {span}")
        equal(span.get("error.type") is None, span.status == "UNSET", f"status of {span}")
    codes = {int(line.split()[0]) for line in told}
    # Of a constraint, of a snapshot, of shared memory, of a file that was moved, of a preparation.
    check({275, 787, 1299, 1555, 1811, 2067, 3091, 517, 262, 1032, 257, 5, 8} <= codes,
          f"only {sorted(codes)}")
    t.note(f"{len(told)} failures, {len([c for c in codes if c > 255])} different extended codes")


# argv: database. What sqlite3_step() returns is printed: for one that asked for extended codes, and for a statement from
# the old sqlite3_prepare(), of which every failure is 1.
DIRECT = """
import ctypes, sys
s = ctypes.CDLL("libsqlite3.so.0")
for name in ("sqlite3_exec", "sqlite3_step", "sqlite3_prepare", "sqlite3_prepare_v2", "sqlite3_finalize"):
    getattr(s, name).argtypes = {"sqlite3_exec": [ctypes.c_void_p] * 5, "sqlite3_step": [ctypes.c_void_p],
                                 "sqlite3_finalize": [ctypes.c_void_p]}.get(name, [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p])
s.sqlite3_extended_result_codes.argtypes = [ctypes.c_void_p, ctypes.c_int]
db = ctypes.c_void_p()
s.sqlite3_open(sys.argv[1].encode(), ctypes.byref(db))

def run(prepare, sql):
    stmt = ctypes.c_void_p()
    assert prepare(db, sql, -1, ctypes.byref(stmt), None) == 0
    print(s.sqlite3_step(stmt), flush=True)
    s.sqlite3_finalize(stmt)

run(s.sqlite3_prepare_v2, b"create table t (a unique)")
run(s.sqlite3_prepare_v2, b"insert into t values (1)")
run(s.sqlite3_prepare, b"insert into t values (1)")
s.sqlite3_extended_result_codes(db, 1)
run(s.sqlite3_prepare_v2, b"insert into t values (1)")
run(s.sqlite3_prepare, b"insert into t values (1)")
"""


def test_codes_that_the_program_asked_for(t):
    spans, returned = trace(t, DIRECT, t.path("file.db"))
    equal(returned, ["101", "101", "1", "2067", "1"], "what sqlite3_step() returns")
    codes = [s.get("db.response.status_code") for s in spans if s.status == "ERROR"]
    equal(codes, ["1", "2067", "1"], "codes")
