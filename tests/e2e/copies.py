# SPDX-License-Identifier: Apache-2.0
"""Programs with a copy of SQLite in them, however it came there, that run the list of statements in copies/workload.c."""
import os
import subprocess

import lib
import observer
from lib import Failure, check, equal, wait_for

INSERT, SELECT = "insert into t values (?, ?)", "select a, ? from t where a >= ? order by a"

# What preparing and running does to one database, in order: text, rows, result code, phase.
PREPARE = [("create table t (a integer primary key, b text)", 0, None, None)]
RUN = [
    (INSERT, 0, None, None),
    (INSERT, 0, None, None),
    (INSERT, 0, None, None),
    (SELECT, 3, None, None),
    (SELECT, 2, None, None),
    (SELECT, 0, None, None),
    (INSERT, 0, "1555", None),
    ("insert into t values (?, ?);", 0, None, None),
    ("update t set b = ? where a > ?;", 0, None, None),
    ("select * from t", 4, None, None),
    ("select a from t where a < ?", 2, None, None),
    ("select a from t where a < ?", 2, None, None),
    ("select b from t limit ?", 1, None, None),
    ("select * from nowhere where a = ?", None, "1", "prepare"),
    ("begin;", 0, None, None),
    ("delete from t;", 0, None, None),
    ("rollback", 0, None, None),
    ("select count(*), ? from t;", 1, None, None),
    ("select b from t where a < ?", 2, None, None),
]


def built(name):
    """Path of a program or library of copies/module.mk."""
    return lib.made("copies", "copies", name)


class Workload:
    """One running program; databases and, for a loader, the libraries that they are opened with."""

    def __init__(self, t, program, libraries=(), command=(), name=None):
        """name: of the databases; command: what the program is started by."""
        name = name or os.path.basename(program)
        self.databases = [t.path(f"{name}-{n}.db") for n in range(max(1, len(libraries)))]
        argv = [*command, program]
        for n, database in enumerate(self.databases):
            argv += [database, *libraries[n:n + 1]]
        self.process = t.start(*argv, stdin=subprocess.PIPE)

    @property
    def pid(self):
        return self.process.pid

    def do(self, part):
        """Have it begin: "prepare", "run" or "close"."""
        self.process.popen.stdin.write(f"{part}\n".encode())
        self.process.popen.stdin.flush()

    def wait(self, answer):
        def answered():
            check(self.process.status in (None, 0), f"{self.process.name} ended with "
                  f"{self.process.status}: {self.process.err}")
            return answer in self.process.out.split()
        wait_for(answered, f"{self.process.name} to answer '{answer}'")

    def prepare(self):
        self.do("prepare")
        self.wait("prepared")

    def run(self):
        self.do("run")
        self.wait("ran")

    def close(self):
        self.do("close")
        equal(self.process.wait(), 0, f"exit status of {self.process.name}, which says {self.process.err!r}")


def executions(spans, database):
    """As the lists above have them, in the order of time."""
    spans = sorted((s for s in spans if s.get("db.system.name") == "sqlite" and s.get("db.namespace") == database),
                   key=lambda s: s.start)
    return [(s.get("db.query.text"), s.get("db.response.returned_rows"), s.get("db.response.status_code"),
             s.get("zerospan.sqlite.phase")) for s in spans]


def difference(got, want):
    """Lines that say where two lists part."""
    for n in range(max(len(got), len(want))):
        have, wish = (items[n] if n < len(items) else None for items in (got, want))
        if have != wish:
            return f"number {n} is {have}, not {wish}; there are {len(got)}, not {len(want)}"
    return ""


def expect(spans, workloads, want):
    """Exactly these statements on each database, and on no other."""
    wrong = []
    for workload in workloads:
        for database in workload.databases:
            where = difference(executions(spans, database), want)
            if where:
                wrong.append(f"{os.path.basename(database)}: {where}")
    check(not wrong, "\n    ".join(["statements are not as they were executed", *wrong]))
    known = {database for workload in workloads for database in workload.databases}
    others = [s for s in spans if s.get("db.system.name") == "sqlite" and s.get("db.namespace") not in known]
    check(not others, f"statements on no database of the tests: {observer.tree(others)}")


def finish(zerospan, workloads, want):
    """Wait for what the workloads ran, and compare."""
    total = len(want) * sum(len(workload.databases) for workload in workloads)
    try:
        zerospan.wait_spans(total, 6)
    except Failure:
        pass  # what is missing is said below
    equal(zerospan.stop(seconds=60), 0, "exit status")  # the kernel detaches probe by probe
    spans = zerospan.spans()
    expect(spans, workloads, want)
    equal(zerospan.summary().lost, 0, "losses")
    check("not traced" not in zerospan.err and "traceable, but" not in zerospan.err, f"it says {zerospan.err}")
    return spans
