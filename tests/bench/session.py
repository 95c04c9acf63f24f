# SPDX-License-Identifier: Apache-2.0
"""One target under one observer: every workload of the target, then the counts compared."""
import os
import statistics
import time

import bpf
import lib
import measure
import targets
from observer import Metrics
from observers import ROWS

SETTLE_S = 0.6  # until zerospan has dealt with what it was told
UPDATE_S = 1.1  # and its own metrics show it: they are renewed twice a second, at most one turn late
TICK_S = 1  # so often it asks the kernel side what SQLite's probes have counted
SLICES, SLICES_OF = 5, 4
COUNTED = {"server": "http_server_request_duration_seconds_count",
           "client": "http_client_request_duration_seconds_count",
           "statements": "db_client_operation_duration_seconds_count"}
UNTIMED = "zerospan_sqlite_untimed_total"
OWN_STATEMENTS = ("INSERT orders", "SELECT inventory", "UPDATE inventory", "UPDATE orders", "SELECT item",
                  "SELECT item item")


def run(target_name, row, seconds, exact):
    """Measures by workload, and of the whole session. exact: take the time to count records, too."""
    test = lib.Test(f"bench.{target_name}.{row}")
    try:
        return _run(test, target_name, row, seconds, exact)
    finally:
        test.end()
        test.remove()


def _run(test, target_name, row, seconds, exact):
    target = targets.TARGETS[target_name](test)
    others = foreign_programs()
    observer = ROWS[row](test, target)
    before = warm_up(target, observer)
    whole = {"row": row, "target": target_name, "workloads": {}, "startup_ms": observer.startup_ms}
    for workload in target.workloads:
        whole["workloads"][workload.name] = _workload(workload, target, observer, seconds, exact)
    if observer.cpu_counts:
        whole["rss_mb"], whole["peak_rss_mb"] = measure.memory_mb(observer.pids()[0])
        whole["maps_mb"] = measure.maps_mb(observer.pids()[0])
    if observer.counts:
        whole.update(compare(target, observer, before))
    observer.stop()
    whole["disturbed"] = bool(others or foreign_programs())
    return whole


def warm_up(target, observer):
    """Let zerospan come to rest with a target that wants it; its metrics by then, or none."""
    if not observer.counts or not hasattr(target, "warm_up"):
        return Metrics("")
    target.warm_up(observer.settled)
    time.sleep(UPDATE_S + TICK_S)
    return observer.metrics()


def foreign_programs():
    """Programs of other observers, who make this host's system calls dearer. Called while none of ours runs; what
    nobody holds any more is about to go."""
    found = {number for number, name in bpf.loaded().items() if name.startswith(("zsp_", "sys_e"))}
    return found & bpf.held() if found else found


def _workload(workload, target, observer, seconds, exact):
    """At the maximum, then one request at a time in short slices; only that, in one, where there is no maximum."""
    before = own_figures(observer, exact)
    first = result = _phase(workload, target, observer, 1, seconds, workload.always_alone)
    after = own_figures(observer, exact)
    if not workload.always_alone:
        alone = _phase(workload, target, observer, SLICES, seconds / SLICES_OF, alone=True)
        result = dict(alone, **{"max_" + figure: value for figure, value in first.items()})
    result.update({f"{key}_per_request": (after[key] - before[key]) / first["executions"] for key in after})
    return result


def _phase(workload, target, observer, slices, seconds, alone=False):
    """Figures per request; what a slice shows for itself is the median of the slices."""
    observer_ns = measure.cpu_ns(observer.pids())
    loads = []
    pids = measure.family(target.pid)
    measure.pin(pids, {targets.CPU_ALONE} if alone else os.sched_getaffinity(0))
    for _ in range(slices):
        target_ns, strangers = measure.cpu_ns(pids), measure.Strangers(pids + observer.pids())
        load = workload.run(seconds, alone)
        if not load["requests"]:  # others had the CPUs
            continue
        load["foreign_cpu"] = strangers.share()
        load.setdefault("target_us", (measure.cpu_ns(pids) - target_ns) / load["requests"] / 1e3)
        load["rate"] = load["requests"] / load["seconds"]
        loads.append(load)
    lib.check(loads, f"no request to {workload.name} was answered in time")
    if observer.counts:
        time.sleep(SETTLE_S)  # what it does later for these requests counts too
    observer_ns = measure.cpu_ns(observer.pids()) - observer_ns
    requests = sum(load["requests"] for load in loads)
    figures = {figure: statistics.median(load[figure] for load in loads)
               for figure in ("foreign_cpu", "target_us", "rate", "p50_us", "p99_us") if figure in loads[0]}
    return dict(figures, requests=requests, executions=sum(load.get("executions", load["requests"]) for load in loads),
                observer_us=observer_ns / requests / 1e3 if observer.cpu_counts else None)


def own_figures(observer, exact):
    """From zerospan's metrics, once they are certain to be up to date."""
    if not observer.counts or not exact:
        return {}
    time.sleep(UPDATE_S)
    metrics = observer.metrics()
    return {"records": metrics.sum("zerospan_records_total"),
            "bytes": metrics.sum("zerospan_captured_bytes_total")}


def counted(metrics):
    """What zerospan counted, in the target's terms."""
    result = {what: metrics.sum(name) for what, name in COUNTED.items()}
    result["statements"] = metrics.sum(UNTIMED) + sum(metrics.sum(COUNTED["statements"], db_query_summary=summary)
                                                      for summary in OWN_STATEMENTS)
    return result


def since(before, now):
    """What was added to figures."""
    return {name: value - before.get(name, 0) for name, value in now.items()}


def compare(target, observer, before=Metrics(""), seconds=5):
    """The target's own counts against zerospan's, and the spans it built against those that arrived."""
    served = target.counts()
    end = time.monotonic() + seconds
    while True:
        metrics = observer.metrics()
        seen, built = since(counted(before), counted(metrics)), metrics.sum("zerospan_spans_total")
        received = observer.received(metrics)
        done = all(seen[what] >= n for what, n in served.items()) and built >= sum(served.values())
        if (done and received in (None, built)) or time.monotonic() >= end:
            break
        time.sleep(0.1)
    lost = {cause: n for cause, n in since(before.lost(), metrics.lost()).items() if n}
    return {"served": served, "seen": {what: seen[what] for what in served}, "lost": sum(lost.values()),
            "lost_causes": lost, "spans_built": built, "spans_received": received,
            "missing": sum(abs(n - seen[what]) for what, n in served.items()),
            "spans_missing": 0 if received is None else built - received}
