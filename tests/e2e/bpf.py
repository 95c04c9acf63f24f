# SPDX-License-Identifier: Apache-2.0
"""What is loaded into the kernel, and by whom: other observers may run on this machine."""
import glob
import json
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
