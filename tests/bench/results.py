# SPDX-License-Identifier: Apache-2.0
"""From the runs to the rows of the table: medians over rounds, differences against bare of the same round."""
import measure

PLAIN = ("target_us", "observer_us", "p50_us", "p99_us", "max_target_us", "max_observer_us", "max_rate",
         "max_p50_us", "max_p99_us")
COUNTS = ("records_per_request", "bytes_per_request")
WHOLE = ("startup_ms", "rss_mb", "peak_rss_mb", "maps_mb")


def table(runs):
    """Rows {workload, row, figure: (median, low, high) or None} of the sessions, in the order of their first run."""
    keys = list(dict.fromkeys((workload, run["row"]) for run in runs for workload in run["workloads"]))
    order = list(dict.fromkeys(workload for workload, _ in keys))
    rows = list(dict.fromkeys(run["row"] for run in sorted(runs, key=lambda r: r["position"])))
    keys.sort(key=lambda key: (order.index(key[0]), rows.index(key[1])))
    result = [row_of(runs, workload, row) for workload, row in keys]
    for entry in result:
        entry["floors"] = floors(entry, result)
    return result


def clean(groups):
    """Groups of runs (one run, or a run and its bare) without those beside which others observed, if any remain."""
    return [group for group in groups if not any(run["disturbed"] for run in group)] or groups


def row_of(runs, workload, row):
    mine = [run for run in runs if run["row"] == row and workload in run["workloads"]]
    bare = {run["round"]: run for run in runs if run["row"] == "bare" and workload in run["workloads"]}
    pairs = [(with_["workloads"][workload], without["workloads"][workload]) for with_, without in
             clean([(run, bare[run["round"]]) for run in mine if run["round"] in bare])]
    counted = [run for run in mine if "lost" in run]
    mine = [run for run, in clean([(run,) for run in mine])]
    entry = {"workload": workload, "row": row}
    for figure in PLAIN + COUNTS:
        entry[figure] = measure.middle([run["workloads"][workload].get(figure)
                                        for run in (counted if figure in COUNTS else mine)])
    for figure in WHOLE:
        entry[figure] = measure.middle([run.get(figure) for run in mine])
    for figure, added in (("target_us", "added_us"), ("max_target_us", "max_added_us")):
        entry[added] = measure.middle([with_[figure] - without[figure] for with_, without in pairs
                                       if figure in with_])
    for figure, change in (("p50_us", "p50_change"), ("max_rate", "rate_change")):
        entry[change] = measure.middle([with_[figure] / without[figure] - 1 for with_, without in pairs
                                        if figure in with_])
    entry["lost"] = sum(run["lost"] for run in counted) if counted else None
    entry["missing"] = sum(run["missing"] + run["spans_missing"] for run in counted) if counted else None
    return entry


def losses(runs):
    """Over all runs that count: events lost, and requests or spans that are not where they should be."""
    counted = [run for run in runs if "lost" in run]
    causes = {}
    for run in counted:
        for cause, n in run["lost_causes"].items():
            causes[cause] = causes.get(cause, 0) + n
    return {"runs": len(counted), "served": sum(sum(run["served"].values()) for run in counted), "causes": causes,
            "missing": sum(run["missing"] + run["spans_missing"] for run in counted)}


def floors(entry, entries):
    """How many times what the hooks alone add to the target; None when the floor cannot be told from noise."""
    floor = [e for e in entries if e["workload"] == entry["workload"] and e["row"] == "floor"]
    if entry["row"] in ("bare", "floor") or not floor or not floor[0]["added_us"] or not entry["added_us"]:
        return None
    return entry["added_us"][0] / floor[0]["added_us"][0] if floor[0]["added_us"][0] > 0 else None


def bystander(runs):
    """{row: {call: ns, and times the tracepoint row of the same round, as (median, low, high)}}."""
    base = {run["round"]: run for run in runs if run["row"] == "any tracepoint"}
    result = {}
    for row in dict.fromkeys(run["row"] for run in runs):
        mine = [run for run in runs if run["row"] == row]
        alone = [run for run, in clean([(run,) for run in mine])]
        pairs = clean([(run, base[run["round"]]) for run in mine if run["round"] in base])
        result[row] = {call: {"ns": measure.middle([run[call] for run in alone]),
                              "of_tracepoint": measure.middle([with_[call] / without[call] for with_, without in pairs])}
                       for call in ("getppid_ns", "pipe_ns")}
    return result
