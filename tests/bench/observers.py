# SPDX-License-Identifier: Apache-2.0
"""The rows: ways to observe a process, and none. Each starts on a target, names its processes and ends.

start(test, target) returns a running observer; what zerospan knows of itself only zerospan's rows have.
"""
import os
import re
import signal
import time

import lib
import observer as zerospan_observer
from lib import check, wait_for
import measure

CALLS = ("read", "recvfrom", "write", "writev", "sendto", "accept4")
TRACEFS = "mount -t tracefs none /sys/kernel/tracing && exec "
READY_S = 30
STOP_S = 30


class Nothing:
    """bare: nobody looks."""

    counts = False  # whether it counts requests
    cpu_counts = False
    startup_ms = None

    def __init__(self, test, target):
        del test, target

    def pids(self):
        return []

    def stop(self):
        pass


class Program(Nothing):
    """An observer that is a process of its own."""

    cpu_counts = True

    def launch(self, test, argv, ready, kind=lib.Process, **how):
        """Start it and wait until ready(process)."""
        start = time.monotonic()
        self.process = test.start(*argv, kind=kind, **how)
        wait_for(lambda: ready(self.process) or self._alive(), f"{argv[0]} to be ready", READY_S)
        self.startup_ms = (time.monotonic() - start) * 1e3
        self.startup_cpu_ms = measure.cpu_ns(self.pids()) / 1e6

    def _alive(self):
        check(self.process.status is None,
              lambda: f"{self.process.name} ended with {self.process.status}: {self.process.err}")

    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.signal(signal.SIGINT)
        self.process.wait(STOP_S)


class Zerospan(Program):
    """metrics: requests counted, no trace leaves."""

    counts = True
    binary = "zerospan"
    arguments = ("--format", "none")
    budget_pct = 100  # no limit: SQLite is observed in full, however long a run is

    def __init__(self, test, target):
        self.launch(test, [lib.built(self.binary), "run", "--listen", "127.0.0.1:0", "--budget", self.budget_pct,
                           *self.arguments, "--pid", target.pid],
                    lambda p: re.search(r"^zerospan: observing", p.err, re.M),
                    kind=zerospan_observer.Zerospan, env=self.environment(test))

    def environment(self, test):
        del test
        return {}

    def metrics(self):
        return self.process.metrics()

    def settled(self):
        """Whether a process that works with SQLite is observed as it will be on: what a hit costs has been measured."""
        return self.metrics().sum("zerospan_sqlite_probe_time_seconds_total") > 0

    def received(self, metrics):
        """Spans that arrived where they were sent; None where none are sent."""
        del metrics
        return None


class Floor(Zerospan):
    """floor: every BPF program empty, on the same hooks."""

    counts = False
    binary = "zerospan-floor"


class Statements(Zerospan):
    """statements: of SQLite only that executions begin. The first step down from full detail, after five seconds of
    the process' CPU time; the next one would come after five more."""

    budget_pct = 0.001

    def settled(self):
        return [tier for _, tier in self.metrics().select("zerospan_sqlite_tier")] == [1]

    def stop(self):
        check(self.settled(), "the run took so long that it was not told of statements to its end")
        super().stop()


class Traces(Zerospan):
    """traces: every span written as OTLP/JSON, to nowhere."""

    arguments = ("--format", "none", "--output", "/dev/null")

    def received(self, metrics):
        return metrics.sum("otel_sdk_exporter_span_exported_total", error_type=None)


class Otlp(Zerospan):
    """otlp: every span by OTLP over HTTP to a receiver on this host, which is not counted as cost."""

    def environment(self, test):
        self.receiver = test.start(os.path.join(lib.BUILD, "bench", "otlp_count"))
        port = wait_for(lambda: re.search(r"port (\d+)\n", self.receiver.out), "the receiver")
        return {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{port.group(1)}/v1/traces"}

    def received(self, metrics):
        lines = self.receiver.out.splitlines()
        return int(lines[-1]) if len(lines) > 1 else 0


class Bpftrace(Program):
    """bpftrace: latency histograms of the calls that move bytes, filtered by process."""

    def __init__(self, test, target):
        lib.tool("bpftrace", "bpftrace")
        ours = " || ".join(f"pid == {pid}" for pid in measure.family(target.pid))
        enters = ",\n".join(f"tracepoint:syscalls:sys_enter_{call}" for call in CALLS)
        exits = ",\n".join(f"tracepoint:syscalls:sys_exit_{call}" for call in CALLS)
        script = test.write("calls.bt", f'''BEGIN {{ printf("ready\\n"); }}
{enters} /{ours}/ {{ @start[tid] = nsecs; }}
{exits} /@start[tid]/ {{ @us[probe] = hist((nsecs - @start[tid]) / 1000); delete(@start[tid]); }}
''')
        # A mount namespace of its own: tracefs need not be mounted on the host.
        self.launch(test, ["unshare", "-m", "sh", "-c", TRACEFS + f"bpftrace {script}"],
                    lambda p: "ready" in p.out)


class Strace(Program):
    """strace: system calls counted and timed, all threads."""

    def __init__(self, test, target):
        pids = measure.family(target.pid)
        options = [word for pid in pids for word in ("-p", str(pid))]
        self.launch(test, [lib.tool("strace", "strace"), "-f", "-c", *options],
                    lambda p: p.err.count(" attached") >= len(pids))


ROWS = {"bare": Nothing, "floor": Floor, "bpftrace": Bpftrace, "strace": Strace,
        "statements": Statements, "metrics": Zerospan, "traces": Traces, "otlp": Otlp}
