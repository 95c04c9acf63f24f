# SPDX-License-Identifier: Apache-2.0
"""The tables of `zerospan check -v`: each row against readelf and objdump, all rows against what is attached."""
import contextlib
import glob
import json
import re
import subprocess

import lib
import observer
from lib import check, equal

PROGRAM = """
import sqlite3, sys
db = sqlite3.connect(":memory:")
db.execute("select 1").fetchall()
print("ready", flush=True)
sys.stdin.readline()
"""

AS_NOBODY = """
import os, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
os.execv(sys.argv[1], sys.argv[1:])
"""

# Inner functions, which may have no name in the file: those that call them.
CALLED_BY = {"sqlite3LockAndPrepare": ["sqlite3_prepare_v2", "sqlite3_prepare_v3"],
             "sqlite3VdbeDelete": []}

COLUMNS = ["function", "probe", "offset", "instruction", "kernel", "ns/hit", "others", "bytes"]


class Row:
    def __init__(self, line):
        cells = re.split(r"\s{2,}", line.strip())
        equal(len(cells), len(COLUMNS), f"columns of {line!r}")
        name, self.probe, offset, self.instruction, self.kernel, self.ns, self.others, self.bytes = cells
        self.function, _, distance = name.partition("+")
        self.offset = int(offset, 16)
        self.entry = self.offset - int(distance or 0)

    def __repr__(self):
        return f"{self.function} {self.probe} {self.offset:#x} {self.instruction}"


def tables(out):
    """Rows by the path of the copy."""
    result, rows = {}, None
    for line in out.splitlines():
        head = re.match(r"probes of SQLite in (.*):$", line)
        if head:
            rows = result.setdefault(head.group(1), [])
        elif not line.startswith("  "):
            rows = None
        elif rows is not None and line.split() != COLUMNS:
            rows.append(Row(line))
    return result


def command(*words):
    return subprocess.run(words, capture_output=True, check=True, text=True, timeout=30).stdout


class Library:
    """An ELF file as binutils see it."""

    def __init__(self, path):
        self.path = path
        self.symbols = {}
        for line in command(lib.tool("readelf", "binutils"), "-sW", path).splitlines():
            fields = line.split()
            if len(fields) >= 8 and fields[3] == "FUNC" and fields[6] != "UND":
                self.symbols[fields[7].split("@")[0]] = int(fields[1], 16)
        self.segments = []
        for line in command("readelf", "-lW", path).splitlines():
            fields = line.split()
            if fields[:1] == ["LOAD"]:
                self.segments.append(tuple(int(field, 16) for field in (fields[1], fields[2], fields[4])))

    def address(self, offset):
        (start, address, _), = [s for s in self.segments if s[0] <= offset < s[0] + s[2]]
        return offset - start + address

    def calls(self, function):
        """Addresses that it calls."""
        out = command(lib.tool("objdump", "binutils"), "-d", f"--disassemble={function}", self.path)
        return {int(target, 16) for target in re.findall(r"\tcall +([0-9a-f]+)", out)}

    def instruction(self, offset):
        """(bytes, text) there. Branches count from their own address, long nops have no operands."""
        at = self.address(offset)
        out = command(lib.tool("objdump", "binutils"), "-d", "-w", f"--start-address={at}",
                      f"--stop-address={at + 15}", self.path)
        code, text = re.search(rf"^\s*{at:x}:\t([0-9a-f ]+?)\s*\t(.*?)\s*$", out, re.M).groups()
        text = re.sub(r"\s+", " ", re.sub(r"\s*[#<].*", "", text))
        branch = re.fullmatch(r"(j\w+|call) ([0-9a-f]+)", text)
        if branch:
            distance = int(branch.group(2), 16) - at
            text = f"{branch.group(1)} .{'-' if distance < 0 else '+'}{abs(distance):#x}"
        return code, re.sub(r"^(nop[wl]).*", r"\1", text)


def expect_right(row, library):
    at = library.address(row.entry)
    if at != library.symbols.get(row.function):
        check(row.function in CALLED_BY, f"{row} is at {at:#x}")
        for outer in CALLED_BY[row.function]:
            check(at in library.calls(outer), f"{outer} does not call {row}")
    code, text = library.instruction(row.offset)
    equal((row.bytes, row.instruction), (code, text), f"instruction under {row}")
    check(row.probe == "entry" or row.offset == row.entry, f"{row} is not on the function's entry")
    # arch/x86/kernel/uprobes.c: push, nop and relative branches.
    emulated = re.match(r"push %r|nop$|j|call ", row.instruction)
    equal(row.kernel, "emulated" if emulated else "stepped", f"{row}")


def start_program(t):
    process = t.start(lib.PYTHON, t.write("program.py", PROGRAM), stdin=subprocess.PIPE)
    lib.wait_for(lambda: "ready" in process.out, "the program")
    with open(f"/proc/{process.pid}/maps", encoding="ascii") as f:
        path, = {line.split()[-1] for line in f if "libsqlite3" in line}
    return process, path


def attached(zerospan):
    """Its uprobes in the order of their addresses, as the kernel tells: (offset, entry or return)."""
    show = json.loads(command(lib.tool("bpftool", "bpftool"), "-j", "perf", "show"))
    return sorted((probe["offset"], {"uprobe": "entry", "uretprobe": "return"}[probe["fd_type"]])
                  for probe in show
                  if probe["pid"] == zerospan.pid and probe["fd_type"] in ("uprobe", "uretprobe"))


def test_rows(t):
    """Function, address, instruction and bytes as binutils say; a cost; and exactly what is attached."""
    process, path = start_program(t)
    out = t.run(lib.built("zerospan"), "check", "-v", seconds=40)
    rows, library = tables(out.out)[path], Library(path)
    for row in rows:
        expect_right(row, library)
        check(0 < int(row.others) and 0 < int(row.ns) < 1000000, f"{row} costs {row.ns}, {row.others} ns")
    zerospan = observer.observe_run(t, "--pid", process.pid)
    lib.wait_for(lambda: attached(zerospan), "its probes")
    equal(sorted((row.offset, row.probe) for row in rows), attached(zerospan), "probes attached")
    zerospan.stop()
    dear = [int(row.ns) for row in rows if row.kernel == "stepped"]
    cheap = [int(row.ns) for row in rows if row.kernel == "emulated"]
    check(cheap, "no probe is on an instruction that is emulated")
    if dear:
        check(min(dear) > min(cheap), f"single-stepping costs {dear}, emulation {cheap}")
    t.note(f"{len(rows)} probes; emulated {min(cheap)} to {max(cheap)} ns, "
           f"stepped {min(dear, default=0)} to {max(dear, default=0)}")


def measured_on():
    """Processes that map the functions made for measuring."""
    found = []
    for path in glob.glob("/proc/[0-9]*/maps"):
        with contextlib.suppress(OSError):
            with open(path, encoding="utf-8", errors="replace") as f:
                found += [path.split("/")[2]] if "zerospan-calibration" in f.read() else []
    return found


def test_nothing_is_left(t):
    """The child it measures on is gone with it, and without -v there is no table."""
    _, path = start_program(t)
    quiet = t.run(lib.built("zerospan"), "check", seconds=40)
    check("probes of SQLite" not in quiet.out and path in quiet.out, "check without -v")
    verbose = t.run(lib.built("zerospan"), "check", "-v", seconds=40)
    check(path in tables(verbose.out), "no table")
    equal(verbose.err, "", "stderr")
    lib.wait_for(lambda: not measured_on(), lambda: f"processes {measured_on()} to be gone")


def test_without_privileges(t):
    """The table without costs, and why."""
    program = lib.copy_of_zerospan(t, "zerospan")  # the build folder may be closed to others
    as_nobody = [lib.PYTHON, "-c", AS_NOBODY]
    process = t.start(*as_nobody, lib.PYTHON, t.write("program.py", PROGRAM), stdin=subprocess.PIPE)
    lib.wait_for(lambda: "ready" in process.out, "the program")
    out = t.run(*as_nobody, program, "check", "-v", seconds=40).out
    (rows,) = tables(out).values()
    check(rows, f"no rows in\n{out}")
    equal({(row.ns, row.others) for row in rows}, {("-", "-")}, "costs")
    check("ns/hit is not measured: cannot be told without privileges" in out, "no reason")
