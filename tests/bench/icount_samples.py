# SPDX-License-Identifier: Apache-2.0
"""Where the instructions go: the samples of a machine (tests/bench/guest/sample.c) by function.

The machine loads every program and library at the addresses that it tells, from the same files as on this host; their
symbol tables (nm) name the user side. What functions without a symbol of a library do is summed up under its name.
"""
import bisect
import collections
import os
import re
import subprocess

import icount_machine as machine

MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) \S+ \S+ +(/.*)")


class Symbols:
    """Functions of one ELF file by their address in it."""

    def __init__(self, path):
        self.name = os.path.basename(path)
        self.functions = self._read(path, []) or self._read(path, ["-D"])

    def _read(self, path, options):
        """Sorted (start, end, name) of the functions with a size."""
        out = subprocess.run(["nm", "-S", "-l", "--defined-only", *options, path], text=True,
                             check=False, capture_output=True).stdout
        fields = [line.split(" ", 3) for line in out.splitlines()]
        return sorted((int(f[0], 16), int(f[0], 16) + int(f[1], 16), self._name(f[3]))
                      for f in fields if len(f) == 4 and f[2] in "tTwWi")

    def _name(self, text):
        """Of a function: with its source file where that is ours and known, else with the file it is linked in."""
        name, _, place = text.partition("\t")
        source = os.path.join(machine.ROOT, place.rpartition(":")[0])
        inside = source.startswith(machine.ROOT) and os.path.isfile(source)
        return f"{name.split('@')[0]} ({os.path.relpath(source, machine.ROOT) if inside else self.name})"

    def find(self, address):
        at = bisect.bisect_right(self.functions, (address, 1 << 64)) - 1
        if at >= 0 and address < self.functions[at][1]:
            return self.functions[at][2]
        return f"? ({self.name})"


def host_path(path):
    """The file on this host that is at the path in the machine."""
    if path.startswith("/zerospan/"):
        return os.path.join(machine.BUILD, os.path.basename(path))
    return os.path.join(machine.DIR, "guest") if path == "/guest" else path


class Resolver:
    def __init__(self, lines):
        self.mappings = []
        self.symbols = {}
        for line in lines:
            match = MAPPING.match(line)
            if match:
                self.mappings.append((int(match.group(1), 16), int(match.group(2), 16),
                                      int(match.group(3), 16), match.group(4)))

    def name(self, address):
        for start, end, offset, path in self.mappings:
            if start <= address < end:
                if path not in self.symbols:
                    self.symbols[path] = Symbols(host_path(path))
                return self.symbols[path].find(address - start + offset)
        return "[vdso or gone]"


def by_function(run, phase, who):
    """(share of all, "user" or "kernel", function), the largest first; and how many samples there are."""
    resolver = Resolver(run.texts.get("maps:" + who, []))
    found = collections.Counter()
    for key, count in run.phases.get(f"sample:{phase}:{who}", {}).items():
        kind, _, text = key.partition(":")
        if kind == "k":
            found["kernel", text] += count
        else:
            found["user", resolver.name(int(text, 16))] += count
    total = sum(found.values())
    return [(count / total, *name) for name, count in found.most_common()], total


def by_file(functions):
    """The same shares, summed up by the folder of our sources, by library, and for the kernel in one."""
    found = collections.Counter()
    for share, side, name in functions:
        place = name.rpartition("(")[2].rstrip(")")
        found["kernel" if side == "kernel" else os.path.dirname(place) or place] += share
    return found.most_common()


def text(run, phases=("start", "window"), most=40):
    lines = []
    for who in ("observer", "target", "client"):
        for phase in phases:
            functions, total = by_function(run, phase, who)
            if not total:
                continue
            lines.append(f"{run.workload}, {run.row}: {who} in phase {phase}, {total} samples")
            lines.append("  " + ", ".join(f"{place} {100 * share:.1f} %"
                                          for share, place in
                                          ((s, p) for p, s in by_file(functions)) if share > 0.002))
            lines += [f"  {100 * share:5.1f} %  {side:6}  {name}"
                      for share, side, name in functions[:most]]
            lines.append("")
    return "\n".join(lines)
