# SPDX-License-Identifier: Apache-2.0
"""What is loaded into the kernel, and by whom: other observers may run on this machine; and what a zerospan keeps there of threads."""
import ctypes
import glob
import json
import mmap
import os
import struct
import subprocess

import lib


def loaded():
    """Ids of all programs, with their names."""
    show = subprocess.run([lib.tool("bpftool", "bpftool"), "-j", "prog", "show"],
                          capture_output=True, check=True, timeout=10)
    return {prog["id"]: prog.get("name", "") for prog in json.loads(show.stdout or "[]")}


def programs_of(path):
    """Ids of the programs that a descriptor holds; none when it was closed meanwhile."""
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return {int(line.split()[1]) for line in f if line.startswith("prog_id:")}
    except OSError:
        return set()


def held(but=()):
    """Ids of the programs that living processes hold open."""
    ids = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        if int(path.split("/")[2]) not in but:
            ids |= programs_of(path)
    return ids


def left_behind(before):
    """Programs that are there now, were not before and belong to nobody who lives."""
    now = loaded()
    new = set(now) - set(before)
    if new:
        new -= held()
    return {number: now[number] for number in new}


def of_process(pid):
    """Ids of the programs that a process holds."""
    ids = set()
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        ids |= programs_of(path)
    return ids


class Threads:
    """The table of observed threads of a running zerospan, as it lies in memory (struct zsp_thread_head, bpf/event.h)."""

    OFF_NS, ON_NS, WAIT = 104, 112, 152
    ARRAY, MMAPABLE, PIDFD_GETFD = 2, 0x400, 438

    def __init__(self, pid):
        number, size, entries = next(
            (int(path.split("/")[4]), size, entries) for path in glob.glob(f"/proc/{pid}/fdinfo/*")
            for kind, flags, size, entries in [self._map(path)]
            if kind == self.ARRAY and flags & self.MMAPABLE and entries > 1)
        fd = ctypes.CDLL(None, use_errno=True).syscall(self.PIDFD_GETFD, os.pidfd_open(pid), number, 0)
        lib.check(fd >= 0, f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        self.size = size
        self.memory = mmap.mmap(fd, size * entries)

    @staticmethod
    def _map(path):
        """Kind, flags, bytes of a value and entries of the map that a descriptor holds; zeros when it holds none."""
        with open(path, encoding="ascii") as f:
            fields = dict(line.split(":", 1) for line in f)
        return [int(fields.get(name, "0"), 0) for name in ("map_type", "map_flags", "value_size", "max_entries")]

    def entry(self, tid):
        """Where a thread's entry begins; None: it is not observed."""
        at = range(0, len(self.memory), self.size)
        return next((i for i in at if struct.unpack_from("=I", self.memory, i)[0] == tid), None)

    def get(self, entry, field):
        return struct.unpack_from("=Q", self.memory, entry + field)[0]

    def set(self, entry, field, value):
        struct.pack_into("=I" if field == self.WAIT else "=Q", self.memory, entry + field, value)
