# SPDX-License-Identifier: Apache-2.0
"""One target under one observer: every workload of the target, then the counts compared."""
import time

import bpf
import lib
import measure
from observers import ROWS
from targets import TARGETS

SETTLE_S = 0.6  # zerospan brings its own metrics up to date every half second
COUNTED = {"server": "http_server_request_duration_seconds_count",
           "client": "http_client_request_duration_seconds_count",
           "statements": "db_client_operation_duration_seconds_count"}
OWN_STATEMENTS = ("INSERT orders", "SELECT inventory", "UPDATE inventory", "UPDATE orders")


def run(target_name, row, seconds):
    """Measures by workload, and of the whole session."""
    test = lib.Test(f"bench.{target_name}.{row}")
    try:
        return _run(test, target_name, row, seconds)
    finally:
        test.end()
        test.remove()


def _run(test, target_name, row, seconds):
    target = TARGETS[target_name](test)
    others = foreign_programs()
    observer = ROWS[row](test, target)
    whole = {"row": row, "target": target_name, "workloads": {}, "startup_ms": observer.startup_ms}
    for workload in target.workloads:
        whole["workloads"][workload.name] = _workload(workload, target, observer, seconds)
    if observer.cpu_counts:
        whole["rss_mb"], whole["peak_rss_mb"] = measure.memory_mb(observer.pids()[0])
        whole["maps_mb"] = measure.maps_mb(observer.pids()[0])
    if observer.counts:
        whole.update(compare(target, observer))
    observer.stop()
    whole["disturbed"] = bool(others or foreign_programs())
    return whole


def foreign_programs():
    """Programs of other observers, who make this host's system calls dearer. Called while none of ours runs; what
    nobody holds any more is about to go."""
    found = {number for number, name in bpf.loaded().items() if name.startswith(("zsp_", "sys_e"))}
    return found & bpf.held() if found else found


def _workload(workload, target, observer, seconds):
    before = own_figures(observer)
    cpu = measure.cpu_ns(measure.family(target.pid)), measure.cpu_ns(observer.pids())
    strangers = measure.Strangers(measure.family(target.pid) + observer.pids())
    load = workload.run(seconds)
    foreign_cpu = strangers.share()
    if observer.cpu_counts:
        time.sleep(SETTLE_S)  # what it does later for these requests counts too
    target_ns = measure.cpu_ns(measure.family(target.pid)) - cpu[0]
    observer_ns = measure.cpu_ns(observer.pids()) - cpu[1]
    after = own_figures(observer)
    paced = workload.run(seconds / 2, pause=True)
    if observer.counts:
        time.sleep(SETTLE_S)
    n = load["requests"]
    result = {
        "foreign_cpu": foreign_cpu, "requests": n, "rate": n / load["seconds"], "target_us": target_ns / n / 1e3,
        "observer_us": observer_ns / n / 1e3 if observer.cpu_counts else None,
        "loaded_p50_us": load["p50_us"], "loaded_p99_us": load["p99_us"],
        "p50_us": paced["p50_us"], "p99_us": paced["p99_us"]}
    result.update({f"{key}_per_request": (after[key] - before[key]) / n for key in after})
    return result


def own_figures(observer):
    if not observer.counts:
        return {}
    metrics = observer.metrics()
    return {"records": metrics.sum("zerospan_records_total"),
            "bytes": metrics.sum("zerospan_captured_bytes_total")}


def counted(metrics):
    """What zerospan counted, in the target's terms."""
    result = {what: metrics.sum(name) for what, name in COUNTED.items()}
    result["statements"] = sum(metrics.sum(COUNTED["statements"], db_query_summary=summary)
                               for summary in OWN_STATEMENTS)
    return result


def compare(target, observer, seconds=5):
    """The target's own counts against zerospan's, and the spans it built against those that arrived."""
    served = target.counts()
    end = time.monotonic() + seconds
    while True:
        metrics = observer.metrics()
        seen, built = counted(metrics), metrics.sum("zerospan_spans_total")
        received = observer.received(metrics)
        done = all(seen[what] >= n for what, n in served.items()) and built >= sum(served.values())
        if (done and received in (None, built)) or time.monotonic() >= end:
            break
        time.sleep(0.1)
    return {"served": served, "seen": {what: seen[what] for what in served}, "lost": sum(metrics.lost().values()),
            "lost_causes": metrics.lost(), "spans_built": built, "spans_received": received,
            "missing": sum(abs(n - seen[what]) for what, n in served.items()),
            "spans_missing": 0 if received is None else built - received}
