# SPDX-License-Identifier: Apache-2.0
"""What a process costs: CPU time, memory, kernel memory of its BPF maps; and medians."""
import contextlib
import glob
import os
import re
import resource
import statistics
import time

import lib

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the clock of another process, with all its threads


def cpu_ns(pids):
    """CPU time of whole processes. The same run time that schedstat shows thread by thread, but
    with the threads that have ended."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED)
    return total


def family(pid):
    """A process and its direct children."""
    return [pid, *lib.children(pid)]


def memory_mb(pid):
    """Resident memory now and at its peak, in MB of 10^6 bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        fields = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB", f.read(), re.M))
    return int(fields["VmRSS"]) * 1024 / 1e6, int(fields["VmHWM"]) * 1024 / 1e6


def maps_mb(pid):
    """Kernel memory charged for the BPF maps that a process holds."""
    maps = {}
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            fields = dict(line.split(None, 1) for line in f if ":" in line)
            if "map_id:" in fields:
                maps[int(fields["map_id:"])] = int(fields["memlock:"])
    return sum(maps.values()) / 1e6


def pin(pids, cpus):
    """All threads of processes to some CPUs."""
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/task/*"):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(int(os.path.basename(path)), cpus)


class Strangers:
    """How much of the machine's CPUs other programs take, ours being named: the server, the observer, and
    children that end meanwhile (the load)."""

    def __init__(self, pids):
        self.pids = pids
        self.before = self._now()

    def _now(self):
        with open("/proc/stat", encoding="ascii") as f:
            ticks = [int(text) for text in f.readline().split()[1:9]]
        load = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours_s = cpu_ns(self.pids) / 1e9 + load.ru_utime + load.ru_stime + time.process_time()
        return (sum(ticks) - ticks[3] - ticks[4]) / TICKS_PER_S - ours_s, sum(ticks) / TICKS_PER_S

    def share(self):
        busy, total = (now - before for now, before in zip(self._now(), self.before))
        return max(0.0, busy / total) if total else 0.0


def middle(values):
    """Median and quartiles (None without values)."""
    values = sorted(v for v in values if v is not None)
    if not values:
        return None
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, low, high
