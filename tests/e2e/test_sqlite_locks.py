# SPDX-License-Identifier: Apache-2.0
"""A statement that waits for the write lock of its database, or gives up: the span says how long it backed off and who had
the lock, by which transaction of which connection, thread and process, and leads to the statement that took it. Nobody is
named where two come into question."""
import contextlib
import fcntl
import json
import os
import select
import struct
import subprocess

import lib
import observer
from http_raw import Client
from lib import check, equal
from shop import Shop, order
from test_stacks import Server, threads

UPDATE = "update t set b = b + 1"
CULPRIT = "zerospan.culprit."
TIMEOUT_S = 20


class Puppet:
    """A process with connections to databases; see sqlite_puppet.py."""

    def __init__(self, t):
        read, write = os.pipe()
        self.process = t.start(lib.PYTHON, os.path.join(lib.HERE, "sqlite_puppet.py"),
                               stdin=subprocess.PIPE, stdout=write)
        os.close(write)
        self.answers = os.fdopen(read)
        t.cleanup(self.answers.close)
        self.pid = self.process.pid
        self.opened = {}
        equal(self._answer("its start"), {"ready": True}, "first answer")

    def open(self, name, path, timeout=0.0):
        self.opened[name] = {"path": path, "timeout": timeout}

    def _tell(self, **command):
        self.process.popen.stdin.write((json.dumps(command) + "\n").encode())
        self.process.popen.stdin.flush()

    def begin(self, name, sql):
        self._tell(on=name, sql=sql, **self.opened[name])

    def join(self, name):
        self._tell(join=name)
        return self._answer(name)

    def _answer(self, what):
        ready, _, _ = select.select([self.answers], [], [], TIMEOUT_S)
        check(ready, f"no answer of {what}")
        return json.loads(self.answers.readline())

    def run(self, name, sql):
        self.begin(name, sql)
        return self.join(name)


def is_locked(path):
    """Somebody has the write lock of the database, which is in WAL mode: asked, not tried, which would be in the way."""
    asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 120, 1, 0)  # the byte of WAL_WRITE_LOCK
    with contextlib.suppress(FileNotFoundError), open(path + "-shm", "rb") as f:
        return struct.unpack("hhqqi4x", fcntl.fcntl(f, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK
    return False


def database(t, journal, name="file.db"):
    path = t.path(name)
    t.run("sqlite3", path, f"pragma journal_mode = {journal}; create table t (b); insert into t values (1);")
    return path


def statements(zerospan, summary):
    """Spans with this summary, by start."""
    return sorted((s for s in zerospan.spans() if s.name == summary), key=lambda s: s.start)


def span_of(spans, link):
    """The span that a link leads to."""
    return next(s for s in spans if (s.trace_id, s.span_id) == (link["traceId"], link["spanId"]))


def link_of(span):
    links = span.links
    equal(len(links), 1, f"links of {span}")
    check(links[0]["flags"] & 0x100, "a link's flags")
    return links[0]


def culprit_of(span):
    return {key[len(CULPRIT):]: value for key, value in span.attrs.items() if key.startswith(CULPRIT)}


def expect_culprit(span, evidence, pid, tid, summary):
    culprit = culprit_of(span)
    equal((culprit.get("kind"), culprit.get("evidence"), culprit.get("process.pid"), culprit.get("thread.id"),
           culprit.get("db.query.summary")), ("sqlite_write_lock", evidence, pid, tid, summary), f"culprit of {span}")
    return culprit


def contest(t, journal, processes, timeout, hold):
    """One has the lock for some time, the other one wants it. Answers (spans, victim's span, truth of both)."""
    path = database(t, journal)
    holder = Puppet(t)
    victim = Puppet(t) if processes == 2 else holder
    holder.open("holder", path, 5)
    victim.open("victim", path, timeout)
    targets = sum((["--pid", p.pid] for p in {holder, victim}), [])
    zerospan = observer.observe(t, *targets)
    victim.run("victim", "select b from t")  # has the database open, and read
    held = holder.run("holder", "begin immediate")
    holder.run("holder", UPDATE)
    victim.begin("victim", "update t set b = 7")
    holder.run("holder", f"select pause({hold})")
    if timeout == 0:
        waited = victim.join("victim")
        holder.run("holder", "commit")
    else:
        holder.run("holder", "commit")
        waited = victim.join("victim")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.5)
    spans = zerospan.finish()
    span, = (s for s in spans if s.get("db.query.text") == "update t set b = ?")
    equal(zerospan.summary().lost, 0, "losses")
    begin, = (s for s in spans if s.get("db.query.text") == "begin immediate")
    evidence = "refused" if processes == 2 else "process"
    culprit = expect_culprit(span, evidence, holder.pid, held["tid"], begin.name)
    equal(culprit["sqlite.transaction.id"], begin.get("zerospan.sqlite.transaction.id"), "transaction")
    check(culprit["sqlite.connection"].startswith("0x"), "connection")
    equal(span_of(spans, link_of(span)).span_id, begin.span_id, "where the link leads")
    return span, waited, culprit


def gives_up(t, journal, processes):
    span, waited, culprit = contest(t, journal, processes, 0, 0.1)
    equal((waited["error"], span.get("db.response.status_code")), ("SQLITE_BUSY", "5"), "result")
    check(span.get("zerospan.time.sqlite_busy_ms") is None, "it did not back off")
    check(culprit["held_ms"] > 0, f"held for {culprit['held_ms']} ms")


def waits(t, journal, processes):
    span, waited, culprit = contest(t, journal, processes, 10, 0.6)
    equal((waited["error"], span.get("error.type")), (None, None), "result")
    busy = span.get("zerospan.time.sqlite_busy_ms")
    check(200 < busy <= span.seconds * 1000, f"backed off for {busy} ms of {span.seconds * 1000}")
    check(culprit["held_ms"] > 300, f"held for {culprit['held_ms']} ms")


def test_thread_gives_up_wal(t):
    gives_up(t, "wal", 1)


def test_thread_gives_up_rollback(t):
    gives_up(t, "delete", 1)


def test_process_gives_up_wal(t):
    gives_up(t, "wal", 2)


def test_process_gives_up_rollback(t):
    gives_up(t, "delete", 2)


def test_thread_waits_wal(t):
    waits(t, "wal", 1)


def test_thread_waits_rollback(t):
    waits(t, "delete", 1)


def test_process_waits_wal(t):
    waits(t, "wal", 2)


def test_process_waits_rollback(t):
    waits(t, "delete", 2)


def test_reader_is_refused(t):
    """In rollback mode a writer keeps out readers, too, once it writes to the file."""
    path = database(t, "delete")
    puppet, other = Puppet(t), Puppet(t)
    puppet.open("reader", path)
    other.open("writer", path)
    zerospan = observer.observe(t, "--pid", puppet.pid, "--pid", other.pid)
    puppet.run("reader", "select b from t")
    held = other.run("writer", "begin exclusive")
    equal(puppet.run("reader", "select b + 7 from t")["error"], "SQLITE_BUSY", "reader")
    other.run("writer", "commit")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.5)
    span, = (s for s in zerospan.finish() if s.get("db.query.text") == "select b + ? from t")
    expect_culprit(span, "refused", other.pid, held["tid"], "begin")


def test_holder_is_not_observed(t):
    """Some other process of the host: it is named, but there is no span to lead to."""
    path = database(t, "wal")
    puppet, other = Puppet(t), Puppet(t)
    puppet.open("victim", path)
    other.open("holder", path)
    zerospan = observer.observe(t, "--pid", puppet.pid)
    puppet.run("victim", "select b from t")
    held = other.run("holder", "begin immediate")
    equal(puppet.run("victim", UPDATE)["error"], "SQLITE_BUSY", "victim")
    other.run("holder", "commit")
    zerospan.wait_spans(2)
    span, = (s for s in zerospan.finish() if s.status == "ERROR")
    expect_culprit(span, "refused", other.pid, held["tid"], None)
    equal(span.links, [], "links")


def test_one_long_statement_has_the_lock(t):
    """The statement that took it still runs when the other one gives up: named by its thread; the span comes later."""
    path = database(t, "wal")
    puppet = Puppet(t)
    puppet.open("holder", path, 5)
    puppet.open("victim", path, 0.3)
    zerospan = observer.observe(t, "--pid", puppet.pid)
    puppet.run("victim", "select b from t")
    puppet.begin("holder", "update t set b = coalesce(pause(4), 3)")
    lib.wait_for(lambda: is_locked(path), "the lock to be taken")
    equal(puppet.run("victim", "update t set b = 7")["error"], "SQLITE_BUSY", "victim")
    held = puppet.join("holder")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.5)
    span, = (s for s in zerospan.finish() if s.status == "ERROR")
    equal((culprit_of(span)["thread.id"], culprit_of(span)["evidence"]), (held["tid"], "process"), "culprit")
    check(200 < span.get("zerospan.time.sqlite_busy_ms") <= span.seconds * 1000, f"{span.attrs}")


def test_request_that_has_the_lock(t):
    """Both serve requests: who waits is told for which one the other has the lock."""
    path = database(t, "wal")
    server = Server(t, threads("import sqlite3", f"db = sqlite3.connect({path!r}, timeout=10, isolation_level=None)",
                               'hold = self.path == "/hold"', 'if hold: db.execute("begin immediate")',
                               'if hold: time.sleep(1)', f'db.execute("commit" if hold else "{UPDATE}")'))
    equal(Client(server.port).get("/first").status, 200, "status")  # it loads SQLite
    zerospan = observer.observe(t, "--pid", server.pid)
    holder = Client(server.port)
    holder.send(b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n")
    lib.wait_for(lambda: is_locked(path), "the lock to be taken")
    equal(Client(server.port).get("/late").status, 200, "status")
    equal(holder.read_response().status, 200, "status")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.5)
    span, = (s for s in zerospan.finish() if s.name == "update t")
    equal((culprit_of(span)["kind"], culprit_of(span)["request"]), ("sqlite_write_lock", "GET /hold"), "culprit")


def test_two_come_into_question(t):
    """Two connections of the process have the write locks of two databases, the victim has both attached: no guess."""
    paths = [database(t, "wal", name) for name in ("one.db", "two.db")]
    puppet = Puppet(t)
    for name, path in zip(("one", "two"), paths):
        puppet.open(name, path)
    puppet.open("victim", paths[0])
    zerospan = observer.observe(t, "--pid", puppet.pid)
    puppet.run("victim", f"attach '{paths[1]}' as other")
    for name in ("one", "two"):
        puppet.run(name, "begin immediate")
    equal(puppet.run("victim", "update other.t set b = 7")["error"], "SQLITE_BUSY", "victim")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.5)
    span, = (s for s in zerospan.finish() if s.status == "ERROR")
    equal((culprit_of(span), span.links), ({}, []), "culprit")


def test_nobody_has_the_lock(t):
    """Sleeping inside a statement is no waiting for a lock by itself."""
    path = database(t, "wal")
    puppet = Puppet(t)
    puppet.open("sleeper", path)
    zerospan = observer.observe(t, "--pid", puppet.pid)
    puppet.run("sleeper", "update t set b = coalesce(pause(0.05), 3)")
    zerospan.wait_spans(1)
    span, = zerospan.finish()
    equal((culprit_of(span), span.get("zerospan.time.sqlite_busy_ms"), span.links), ({}, None, []), "wait")


def test_two_connections_of_one_thread(t):
    """A thread that stands in its own way is named as well: the other connection is not the same one."""
    path = database(t, "wal")
    script = t.write("both.py", f"""
import sqlite3, time
a, b = (sqlite3.connect({path!r}, timeout=0, isolation_level=None) for _ in range(2))
a.execute("begin immediate")
try:
    b.execute({UPDATE!r})
except sqlite3.OperationalError:
    pass
time.sleep(1)  # where a connection's file is, is asked while the process lives
""")
    zerospan = observer.observe(t, program=(lib.PYTHON, script))
    equal(zerospan.wait(20), 0, "exit status")
    span, = (s for s in zerospan.spans() if s.status == "ERROR")
    equal((culprit_of(span)["evidence"], culprit_of(span)["db.query.summary"]), ("process", "begin"), "culprit")


def transaction_during(spans, update):
    """Of the transactions that the audit has made: the one in which the UPDATE was given up."""
    ends = {s.get("zerospan.sqlite.transaction.id"): s for s in spans if s.get("zerospan.sqlite.transaction.outcome")}
    inside = [s for s in spans if s.name == "BEGIN" and s.start < update.end
              and update.end < ends[s.get("zerospan.sqlite.transaction.id")].end]
    equal(len(inside), 1, f"transactions around {update}")
    return inside[0]


@lib.deadline(240)
def test_hundred_conflicts_of_the_shop(t):
    """A hundred orders that meet a stock audit: each UPDATE names the audit's transaction, thread and statement."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    client, failed = shop.client(), 0
    while failed < 100:
        failed += client.post_json("/checkout", order("laptop", 2)).status == 500
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=1.0)
    spans = zerospan.finish()
    updates = [s for s in spans if s.get("db.response.status_code") == "5"]
    equal(len(updates), 100, "statements that were given up")
    for update in updates:
        begin = transaction_during(spans, update)
        culprit = culprit_of(update)
        equal((culprit.get("evidence"), culprit.get("process.pid"), culprit.get("process.name"),
               culprit.get("db.query.summary"), culprit.get("sqlite.transaction.id")),
              ("process", shop.pid, "stock-audit", begin.name, begin.get("zerospan.sqlite.transaction.id")),
              f"culprit of {update}")
        equal(span_of(spans, link_of(update)).span_id, begin.span_id, "where the link leads")
        check(0 < update.get("zerospan.time.sqlite_busy_ms") <= update.seconds * 1000, f"back-off of {update}")
    equal(zerospan.summary().lost, 0, "losses")
