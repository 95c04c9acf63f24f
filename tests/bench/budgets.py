# SPDX-License-Identifier: Apache-2.0
"""The budgets, each with what was measured: pass or over. A budget never fails a run: it is read by people."""

OURS = ("metrics", "traces", "otlp")
FLOORS, P50_CHANGE, BYSTANDER, START_MS, RSS_MB, MAPS_MB = 2.0, 0.20, 1.1, 200, 25, 16


def verdict(what, limit, value, text, good):
    return {"budget": what, "limit": limit, "value": value, "measured": text, "verdict": "pass" if good else "over"}


def of_table(rows):
    result = []
    for workload in dict.fromkeys(row["workload"] for row in rows):
        mine = [row for row in rows if row["workload"] == workload and row["row"] in OURS]
        told = [(row["floors"], row["row"]) for row in mine if row["floors"] is not None]
        if told:
            value, which = max(told)
            result.append(verdict(f"{workload}: added to the target, times the empty programs", f"<= {FLOORS:g}",
                                  value, f"{value:.1f} ({which})", value <= FLOORS))
        told = [(row["p50_change"][0], row["row"]) for row in mine if row["p50_change"]]
        if told:
            value, which = max(told)
            result.append(verdict(f"{workload}: client p50", f"<= +{P50_CHANGE:.0%}", value,
                                  f"{value:+.0%} ({which})", value <= P50_CHANGE))
    return result


def of_loss(losses, dead):
    result = []
    for name, lost in losses.items():
        if not lost["runs"]:
            continue
        events, missing = sum(lost["causes"].values()), lost["missing"]
        causes = ", ".join(f"{n:.0f} {cause}" for cause, n in lost["causes"].items())
        result.append(verdict(f"{name}: events lost at the machine's maximum", "0", events, causes or "0", events == 0))
        result.append(verdict(f"{name}: served and not counted, spans built and not received", "0", missing,
                              f"{missing:.0f} of {lost['served']}", missing == 0))
    if dead:
        value = dead["lost"] + dead["missing"]
        result.append(verdict("with a dead OTLP endpoint: lost, not counted", "0", value,
                              f"{dead['lost']:.0f}, {dead['missing']:.0f}", value == 0))
    return result


def of_bystander(bystander):
    result = []
    for call, name in (("getppid_ns", "calls without a hook"), ("pipe_ns", "calls with hooks (pipe)")):
        change = bystander.get("metrics", {}).get(call, {}).get("of_tracepoint")
        if change:
            result.append(verdict(f"unobserved process, {name}: times any system call tracepoint", f"<= {BYSTANDER:g}",
                                  change[0], f"{change[0]:.2f}", change[0] <= BYSTANDER))
    return result


def of_extras(extras):
    result = []
    for name in ("zerospan", "zerospan on SQLite"):
        start = extras.get("startup", {}).get(name)
        if start:
            value = start["ms"][0]
            result.append(verdict(f"start to probes in place, {name}", f"<= {START_MS} ms", value,
                                  f"{value:.0f} ms ({start['cpu_ms'][0]:.0f} ms CPU)", value <= START_MS))
    for row in ("metrics", "otlp"):
        memory = extras.get("connections", {}).get(row)
        if memory and "skipped" not in memory:
            value = memory["rss_mb"]
            result.append(verdict(f"resident with {memory['connections']} connections, {row}", f"<= {RSS_MB} MB",
                                  value, f"{value:.1f} MB", value <= RSS_MB))
            if row == "metrics":
                value = memory["maps_mb"]
                result.append(verdict("BPF maps", f"<= {MAPS_MB} MB", value, f"{value:.1f} MB", value <= MAPS_MB))
    return result


def judge(rows, bystander, extras, losses):
    return (of_table(rows) + of_bystander(bystander) + of_loss(losses, extras.get("dead_endpoint")) + of_extras(extras))
