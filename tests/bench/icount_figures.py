# SPDX-License-Identifier: Apache-2.0
"""Figures of a run, and what they must not exceed.

A figure is a number with a name; columns say how a workload's figures are shown. What a row adds is its difference to the
row "bare" of the same workload.
"""
import collections
import json

import icount_machine as machine

INSTRUCTIONS_PER_SPIN = 2
UNIT_TOLERANCE = 0.05  # clock ticks are charged to the loop
SPANS_PER_CHECKOUT = 7  # two servers', one client's and four statements'

Budget = collections.namedtuple("Budget", "workload rows figure most text")

OBSERVED = "metrics json otlp dead"
ALL = "keepalive saturated connections shop-threads shop-loop"
BUDGETS = [
    Budget("keepalive", OBSERVED, "target_added_k", 8, "target, k more per request"),
    Budget("keepalive", OBSERVED, "p50_added_pct", 20, "client p50, % more"),
    Budget("keepalive", OBSERVED, "other_added_pct", 12, "process not observed, % more"),
    Budget("keepalive", "metrics", "observer_k", 10, "zerospan, k per request, metrics only"),
    Budget("keepalive", "otlp", "observer_k", 20, "zerospan, k per request, every trace sent"),
    Budget(ALL, OBSERVED, "start_m", 300, "start, M instructions"),
    Budget("connections", OBSERVED, "rss_mb", 25, "resident, MB at 10 000 connections"),
    Budget(ALL, OBSERVED, "maps_mb", 16, "BPF maps, MB"),
    Budget(ALL, OBSERVED, "missing", 0,
           "requests and statements without a span, or spans without one"),
    Budget(ALL, OBSERVED, "lost", 0,
           "events lost"),
    Budget(ALL, "otlp", "unsent", 0,
           "spans that did not arrive at the receiver"),
    Budget("keepalive saturated", "dead", "unsent", 0,
           "spans not told to be undelivered, dead endpoint"),
]


def figures(run, bare=None):
    """Name -> number, of one run; bare is the run to compare with."""
    found = {}
    requests = window_requests(run)
    found["requests"] = requests
    for key in ("target", "client", "receiver", "machine"):
        value = run.instructions("window", key + "_ns")
        if value is not None:
            found[key + "_k"] = value / requests / 1e3
    observer = observer_instructions(run)
    if observer is not None:
        found["observer_k"] = observer / requests / 1e3
        found["quiet_k_per_s"] = (run.instructions("quiet", "observer_ns") / 1e3 /
                                  (run.get("quiet", "elapsed_ns") / 1e9))
        found["start_m"] = run.instructions("start", "observer_ns") / 1e6
        found["rss_mb"] = run.get("memory", "rss_kb") * 1024 / 1e6
        found["peak_mb"] = run.get("memory", "peak_kb") * 1024 / 1e6
        found["maps_mb"] = run.get("memory", "map_bytes") / 1e6
    latency(run, found)
    others(run, found)
    if bare and bare is not run:
        compare(found, figures(bare))
    if observer is not None and run.row != "floor":
        counts(run, found)
    return found


def window_requests(run):
    if run.get("window", "requests"):
        return run.get("window", "requests")
    return json.loads(run.texts["traffic"][-1])["answered"]


def observer_instructions(run):
    """Of the window, without what the observer does in a rest when nothing happened before."""
    all_of_it = run.instructions("window", "observer_ns")
    if all_of_it is None:
        return None
    quiet = run.instructions("quiet", "observer_ns") / run.get("quiet", "elapsed_ns")
    return all_of_it - quiet * run.get("window", "rest_ns", 0)


def latency(run, found):
    for key in ("p50", "p99"):
        if run.workload != "saturated" and run.get("window", key + "_ns"):
            found[key + "_us"] = run.get("window", key + "_ns") / 1e3
    if "traffic" in run.texts:
        found["mean_us"] = json.loads(run.texts["traffic"][-1])["mean_ms"] * 1e3
    if run.workload == "saturated":
        found["per_s"] = run.get("window", "requests") / (run.get("window", "elapsed_ns") / 1e9)


def others(run, found):
    requests = run.get("others", "requests")
    if not requests:
        return
    found["other_k"] = run.instructions("others", "other_ns") / requests / 1e3
    found["other_client_k"] = run.instructions("others", "other_client_ns") / requests / 1e3
    for call in ("ppid", "read"):
        found[call] = run.instructions(call, "ns") / run.get(call, "calls")
    check_unit(run)


def check_unit(run):
    """A loop of two instructions shows that CPU time counts them, whatever the machine was told."""
    per_turn = run.instructions("spin", "ns") / run.get("spin", "calls")
    if abs(per_turn / INSTRUCTIONS_PER_SPIN - 1) > UNIT_TOLERANCE:
        raise machine.Trouble(f"{run.workload}, {run.row}: a loop of {INSTRUCTIONS_PER_SPIN} instructions "
                              f"took {per_turn:.3f} of them")


def compare(found, bare):
    for key in ("target_k", "client_k", "machine_k", "ppid", "read"):
        if key in found and key in bare:
            name = key.replace("_k", "_added_k") if key.endswith("_k") else key + "_added"
            found[name] = found[key] - bare[key]
    for key in ("p50_us", "p99_us", "mean_us", "other_k", "other_client_k", "per_s", "target_k"):
        if key in found and key in bare:
            found[key.rpartition("_")[0] + "_added_pct"] = 100 * (found[key] / bare[key] - 1)


def counts(run, found):
    """Spans against what the server counted itself, or what the client got; in the summary and at /metrics."""
    spans, = run.search("observer", r"(\d+) spans in \d+ traces") or [0]
    served = run.search("target", r"requests (\d+)")
    if served:
        expected = served[0]
    else:
        expected = SPANS_PER_CHECKOUT * sum(
            json.loads(line)["answered"] for line in run.texts["traffic"])
    counted = sum(run.metric(name + "_count") for name in (
        "http_server_request_duration_seconds", "http_client_request_duration_seconds",
        "db_client_operation_duration_seconds"))
    found["expected"] = expected
    found["spans"] = spans
    found["missing"] = max(abs(expected - spans), abs(expected - counted))
    found["lost"] = max(run.search("observer", r"events, (\d+) lost") or [0])
    undelivered = run.search("observer", r"(\d+) spans did not arrive at \S+ \((\d+) delivered\)")
    if run.row == "dead":
        found["unsent"] = spans - sum(undelivered or [0])
    received = run.search("receiver", r"received (\d+)")
    if received:
        found["unsent"] = abs(spans - received[0])


def check(results):
    """(budget, workload, row, value, met) of each budget that the results say something about: its worst value."""
    verdicts = []
    for budget in BUDGETS:
        values = [(results[workload][row][budget.figure], workload, row)
                  for workload in budget.workload.split() if workload in results
                  for row in budget.rows.split() if budget.figure in results[workload].get(row, {})]
        if values:
            value, workload, row = max(values)
            verdicts.append((budget, workload, row, value, value <= budget.most))
    return verdicts


def programs(run):
    """Per BPF program (name, hits per request, instructions per hit, the same of threads nobody observes,
    instructions per request that the target pays).

    The second load has two unobserved processes that make the calls of client and server; half of it is what
    the unobserved client of the first load caused.
    """
    requests = run.get("profile", "requests")
    rows = []
    for key in sorted(run.phases.get("profile", {})):
        if not key.startswith("runs:"):
            continue
        name = key.split(":", 1)[1]
        runs, ns = run.get("profile", key), run.get("profile", "ns:" + name)
        other_runs = run.get("profile_others", key, 0)
        other_ns = run.get("profile_others", "ns:" + name, 0)
        rows.append((name.split(":")[1], runs / requests, ns / machine.NS_PER_INSTRUCTION / runs,
                     other_ns / machine.NS_PER_INSTRUCTION / other_runs if other_runs else 0,
                     (ns - other_ns / 2) / machine.NS_PER_INSTRUCTION / requests))
    return rows


def threads(run):
    """Per thread of zerospan (number after the first, k instructions per request, ms that it waited for the CPU)."""
    requests = window_requests(run)
    return [(int(key.partition(":")[2]), ns / machine.NS_PER_INSTRUCTION / requests / 1e3,
             run.get("threads", key.replace("ran", "waited")) / 1e6)
            for key, ns in sorted(run.phases.get("threads", {}).items())
            if key.startswith("ran:") and ns]
