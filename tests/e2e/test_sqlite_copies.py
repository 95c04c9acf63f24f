# SPDX-License-Identifier: Apache-2.0
"""Every copy of SQLite: shared, linked in by any build, several in one process, replaced on disk, in another mount
namespace, loaded late; and those that cannot be traced, by name."""
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess

import copies
import lib
import observer
from copies import PREPARE, RUN, Workload
from lib import check, equal, wait_for

STATIC = ["static_O0", "static_O2", "static_O3", "static_lto", "static_endbr", "static_frames", "static_archive"]
BUILDS = ["shared", *STATIC]
AHEAD = ["shared", "static_O3", "static_lto", "static_endbr"]  # an observer each


def system_library():
    """The host's shared library, the file itself."""
    found = sorted(glob.glob("/usr/lib/*/libsqlite3.so.0"))
    check(found, "the host has no libsqlite3.so.0")
    return os.path.realpath(found[0])


@lib.deadline(lib.MAKE_S)
def test_statements_prepared_before(t):
    """Long before the observer came, in every build at once: they have their text and their database."""
    workloads = [Workload(t, copies.built(name)) for name in BUILDS]
    for workload in workloads:
        workload.prepare()
    zerospan = observer.observe(t, *(word for workload in workloads for word in ("--pid", workload.pid)))
    for workload in workloads:
        workload.run()
    copies.finish(zerospan, workloads, RUN)
    t.note(f"{len(RUN)} executions each in {', '.join(BUILDS)}")


@lib.deadline(lib.MAKE_S)
def test_from_the_first_instruction(t):
    """Commands of an observer each."""
    commands = [Command(t, copies.built(name), t.path(f"{name}.db")) for name in AHEAD]
    for command in commands:
        command.feed("prepare", "run")
    for command in commands:
        command.wait_statements(len(PREPARE + RUN))
        command.feed("close")
        equal(command.zerospan.wait(20), 0, "exit status")
    for command in commands:
        copies.expect(command.spans(), [command], PREPARE + RUN)
        equal(command.zerospan.summary().lost, 0, "losses")


class Command:
    """A program that zerospan starts and observes, with one database."""

    def __init__(self, t, *argv):
        self.databases = [argv[-1]]
        self.output = argv[-1] + ".spans"
        self.zerospan = observer.start(t, "trace", "--format", "none", "--output", self.output, "--",
                                       *argv, stdin=subprocess.PIPE)

    def feed(self, *lines):
        self.zerospan.popen.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.zerospan.popen.stdin.flush()

    def spans(self):
        with contextlib.suppress(FileNotFoundError), open(self.output, encoding="utf-8") as f:
            text = f.read()
            return [span for line in text[:text.rfind("\n") + 1].splitlines()
                    for span in observer.spans_of(json.loads(line))]
        return []

    def wait_statements(self, n):
        """They show their database only while the program lives. A copy may lack some: that is said later."""
        with contextlib.suppress(lib.Failure):
            wait_for(lambda: len(self.spans()) >= n, "statements", 8)


# --- programs that nobody here wrote


PYTHON = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
insert, select = "insert into t values (?, ?)", "select a, 's3cr3t' from t where a >= ? order by a"
db.execute("create table t (a integer primary key, b text)")
db.execute(insert, (0, "s3cr3t"))
db.execute(select, (0,)).fetchall()
print("prepared", flush=True)
sys.stdin.readline()
for a in (1, 2, 3):
    db.execute(insert, (a, "s3cr3t"))
assert len(db.execute(select, (1,)).fetchall()) == 3
assert not db.execute(select, (4,)).fetchall()
for sql, values in ((insert, (2, "s3cr3t")), ("select * from nowhere where a = 's3cr3t'", ())):
    try:
        db.execute(sql, values)
    except sqlite3.Error:
        pass
db.executescript("insert into t values (4, 's3cr3t'); update t set b = 'x' where a > 2")
print("ran", flush=True)
sys.stdin.readline()
"""

PHP = """<?php
$db = new PDO("sqlite:" . $argv[1]);
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_SILENT);
$db->exec("create table t (a integer primary key, b text)");
$insert = $db->prepare("insert into t values (?, ?)");
$select = $db->prepare("select a, 's3cr3t' from t where a >= ? order by a");
echo "prepared\n";
fgets(STDIN);
foreach ([1, 2, 3] as $a) $insert->execute([$a, "s3cr3t"]);
$select->execute([1]);
count($select->fetchAll()) == 3 || exit(1);
$select->execute([4]);
count($select->fetchAll()) == 0 || exit(1);
$insert->execute([2, "s3cr3t"]);
$db->query("select * from nowhere where a = 's3cr3t'");
$db->exec("insert into t values (4, 's3cr3t'); update t set b = 'x' where a > 2");
echo "ran\n";
fgets(STDIN);
"""

SHELL = """insert into t values (1, 's3cr3t');
insert into t values (2, 's3cr3t');
insert into t values (3, 's3cr3t');
select a, 's3cr3t' from t where a >= 1 order by a;
select a, 's3cr3t' from t where a >= 4 order by a;
insert into t values (2, 's3cr3t');
select * from nowhere where a = 's3cr3t';
insert into t values (4, 's3cr3t'); update t set b = 'x' where a > 2;
"""

LANGUAGES = [
    (copies.INSERT, 0, None, None),
    (copies.INSERT, 0, None, None),
    (copies.INSERT, 0, None, None),
    (copies.SELECT, 3, None, None),
    (copies.SELECT, 0, None, None),
    (copies.INSERT, 0, "1555", None),
    ("select * from nowhere where a = ?", None, "1", "prepare"),
    ("insert into t values (?, ?);", 0, None, None),
    ("update t set b = ? where a > ?", 0, None, None),
]


class Script:
    """A program that says "prepared", runs the list above after a line, and ends after another."""

    def __init__(self, t, name, *argv):
        self.databases = [t.path(f"{name}.db")]
        self.process = t.start(*argv, self.databases[0], stdin=subprocess.PIPE)

    def wait(self, answer):
        wait_for(lambda: answer in self.process.out.split(), f"{self.process.name} to say '{answer}'")

    def feed(self, text="\n"):
        self.process.popen.stdin.write(text.encode())
        self.process.popen.stdin.flush()


def scripts(t):
    """Programs, what each is fed, and what it is to have executed then."""
    shell = Script(t, "shell", lib.tool("sqlite3", "sqlite3"), "-batch")
    shell.feed("create table t (a integer primary key, b text);\n.print prepared\n")
    texts = [re.sub(r"'[^']*'|\b\d+\b", "?", sql) for sql in SHELL.replace("; ", ";\n").split("\n")]
    ran = [(text.rstrip(";") if rest[2] else text, *rest)
           for text, (_, *rest) in zip(texts, LANGUAGES)]
    return [(shell, SHELL + ".print ran\n", ran),
            (Script(t, "python", lib.PYTHON, t.write("script.py", PYTHON)), "\n", LANGUAGES),
            (Script(t, "php", lib.tool("php", "php-cli"), t.write("script.php", PHP)), "\n", LANGUAGES)]


def test_languages(t):
    """The sqlite3 shell, Python's module and PHP's PDO; what they prepared before is known."""
    programs = scripts(t)
    for program, _, _ in programs:
        program.wait("prepared")
    zerospan = observer.observe(t, *(word for program, _, _ in programs
                                     for word in ("--pid", program.process.pid)))
    for program, fed, _ in programs:
        program.feed(fed)
        program.wait("ran")
    with contextlib.suppress(lib.Failure):
        zerospan.wait_spans(sum(len(want) for _, _, want in programs), 5)
    spans = zerospan.finish()
    for program, _, want in programs:
        copies.expect([s for s in spans if s.get("db.namespace") == program.databases[0]], [program], want)
    equal(len(spans), sum(len(want) for _, _, want in programs), "spans")
    equal(zerospan.summary().lost, 0, "losses")


def test_php_from_the_first_instruction(t):
    command = Command(t, lib.tool("php", "php-cli"), t.write("script.php", PHP), t.path("php.db"))
    command.feed("")
    want = [*PREPARE, *LANGUAGES]
    command.wait_statements(len(want))
    command.feed("")
    equal(command.zerospan.wait(20), 0, "exit status")
    copies.expect(command.spans(), [command], want)


# --- libraries that a process has and the host has not, or not yet, or twice


@lib.deadline(lib.MAKE_S)
def test_two_versions_in_one_process(t):
    """Debian's library and a newer one, where a statement's fields lie elsewhere: each is read in its own way."""
    workload = Workload(t, copies.built("loader"), [system_library(), copies.built("newer.so")])
    workload.prepare()
    zerospan = observer.observe(t, "--pid", workload.pid)
    workload.run()
    copies.finish(zerospan, [workload], RUN)


@lib.deadline(lib.MAKE_S)
def test_library_replaced_on_disk(t):
    """An upgrade renamed another version over it, or took it away; the process runs the old one."""
    workloads = []
    for name in ("renamed", "unlinked"):
        library = t.path(f"{name}.so")
        shutil.copy(system_library(), library)
        workloads.append(Workload(t, copies.built("loader"), [library], name=name))
        workloads[-1].prepare()
    shutil.copy(copies.built("newer.so"), t.path("newer.so"))
    os.rename(t.path("newer.so"), t.path("renamed.so"))
    os.unlink(t.path("unlinked.so"))
    zerospan = observer.observe(t, *(word for workload in workloads for word in ("--pid", workload.pid)))
    for workload in workloads:
        workload.run()
    copies.finish(zerospan, workloads, RUN)


@lib.deadline(lib.MAKE_S)
def test_library_in_another_mount_namespace(t):
    """It lies in a file system that nobody outside has mounted."""
    os.mkdir(t.path("private"))
    library = t.path("private/mine.so")
    script = t.write("enter.sh", f"mount -t tmpfs none {t.path('private')} && "
                     f"cp {system_library()} {library} && exec \"$@\"\n")
    workload = Workload(t, copies.built("loader"), [library], name="inside",
                        command=[lib.tool("unshare", "util-linux"), "-m", "/bin/sh", script])
    workload.prepare()
    check(not os.path.exists(library), "the library can be seen from outside")
    zerospan = observer.observe(t, "--pid", workload.pid)
    workload.run()
    copies.finish(zerospan, [workload], RUN)


@lib.deadline(lib.MAKE_S)
def test_library_loaded_later(t):
    """By dlopen(), while the process is observed: two versions, one after the other."""
    libraries = [system_library(), copies.built("newer.so")]
    workload = Workload(t, copies.built("loader"), libraries)
    zerospan = observer.observe(t, "--verbose", "--pid", workload.pid)
    workload.prepare()
    for library in libraries:
        wait_for(lambda: f"attached to SQLite in '{library}'" in zerospan.err, f"probes in {library}")
    workload.run()
    wait_for(lambda: all(copies.executions(zerospan.spans(), database)[-1:] == RUN[-1:]
                         for database in workload.databases), "the last statements")
    spans = zerospan.finish()
    for database in workload.databases:
        where = copies.difference(copies.executions(spans, database)[-len(RUN):], RUN)
        check(not where, f"{os.path.basename(database)}: {where}")


# --- what cannot be traced is named and counted


WARNING = "SQLite in '{}' (pid {}) is not traced: {}"
STRIPPED = "it is linked in without symbols; run the program as it was before strip, or with the shared library"


@lib.deadline(lib.MAKE_S)
def test_untraceable(t):
    """Without symbols; or optimised until nothing is left to learn a statement's layout from. One warning per file, with
    the remedy, and a count."""
    stripped, bare = copies.built("static_stripped"), copies.built("static_lto_bare")
    workloads = [Workload(t, program, name=name)
                 for program, name in ((stripped, "one"), (stripped, "two"), (bare, "bare"))]
    for workload in workloads:
        workload.prepare()
    checked = t.run(lib.built("zerospan"), "check")
    for workload, text in zip(workloads, (": linked in without symbols",) * 2 + (": no symbol sqlite3_sql or",)):
        line = next((line for line in checked.out.splitlines() if line.split()[:1] == [str(workload.pid)]), "")
        check(text in line, f"zerospan check says {line!r} of {workload.process.name}")
    zerospan = observer.observe(t, *(word for workload in workloads for word in ("--pid", workload.pid)))
    for workload in workloads:
        workload.run()
    wait_for(lambda: stripped in zerospan.err, "the warning")
    equal(zerospan.finish(), [], "spans")
    warned = [line for line in zerospan.err.splitlines() if " is not traced: " in line]
    check(len(warned) == 2 and zerospan.err.count(WARNING.format(stripped, workloads[0].pid, STRIPPED)) == 1 and
          zerospan.err.count(WARNING.format(bare, workloads[2].pid, "no symbol sqlite3_sql or")) == 1,
          f"warnings {warned}")
    check("SQLite: not traced in 2 files, 1 of them without symbols" in zerospan.err, "no count in the summary")


@lib.deadline(lib.MAKE_S)
def test_stripped_command(t):
    """It may have ended before anybody looked."""
    stripped = copies.built("static_stripped")
    with open(t.write("lines", "prepare\nrun\nclose\n"), "rb") as stdin:
        zerospan = observer.start(t, "trace", "--", stripped, t.path("file.db"), stdin=stdin)
    equal(zerospan.wait(20), 0, "exit status")
    equal(zerospan.err.count(f"SQLite in '{stripped}'"), 1, "warnings")
    check("SQLite: not traced in 1 file, 1 of them without symbols" in zerospan.err, "no count in the summary")


@lib.deadline(lib.MAKE_S)
def test_stripped_metric(t):
    """Counted where nobody reads warnings; other files are searched to the end and are not counted."""
    workload = Workload(t, copies.built("static_stripped"))
    other = t.start(lib.PYTHON, "-c", "import json, ssl, ctypes, sys; sys.stdin.read()", stdin=subprocess.PIPE)
    zerospan = observer.observe_run(t, "--pid", workload.pid, "--pid", other.pid)

    def untraced(reason):
        return zerospan.metrics().sum("zerospan_sqlite_untraced", reason=reason)

    wait_for(lambda: untraced("stripped") == 1 and untraced("unsearched") == 0, "the search")
    equal(untraced("refused"), 0, "refused")
    equal(zerospan.stop(), 0, "exit status")
    equal(zerospan.err.count("is not traced"), 1, "warnings")
