# SPDX-License-Identifier: Apache-2.0
"""Results as text and as one JSON document."""
import icount_figures as figures

# (heading, figure, format); a workload shows the columns that any of its rows has.
COLUMNS = [
    ("target k", "target_k", "%.2f"), ("+k", "target_added_k", "%+.2f"),
    ("zerospan k", "observer_k", "%.2f"),
    ("client k", "client_k", "%.2f"), ("machine k", "machine_k", "%.2f"),
    ("p50 us", "p50_us", "%.1f"), ("+%", "p50_added_pct", "%+.1f"), ("p99 us", "p99_us", "%.1f"),
    ("mean us", "mean_us", "%.0f"), ("+%", "mean_added_pct", "%+.1f"),
    ("other k", "other_k", "%.2f"), ("+%", "other_added_pct", "%+.1f"),
    ("its client +%", "other_client_added_pct", "%+.1f"),
    ("getppid", "ppid", "%.0f"), ("read", "read", "%.0f"),
    ("per s", "per_s", "%.0f"), ("+%", "per_added_pct", "%+.1f"),
    ("start M", "start_m", "%.1f"), ("quiet k/s", "quiet_k_per_s", "%.0f"),
    ("RSS MB", "rss_mb", "%.1f"), ("peak MB", "peak_mb", "%.1f"), ("maps MB", "maps_mb", "%.2f"),
    ("served", "expected", "%d"), ("spans", "spans", "%d"), ("missing", "missing", "%d"),
    ("lost", "lost", "%d"), ("unsent", "unsent", "%d"),
]
TITLES = {
    "keepalive": "keep-alive, thread per connection, 10 000 requests at 1 000/s; per request",
    "saturated": "keep-alive, 16 connections, 30 000 requests, each after the last answer; per request",
    "connections": "10 000 connections, one request on each; per connection",
    "shop-threads": "the shop, thread per connection, checkouts at 40/s for 10 s; per checkout",
    "shop-loop": "the shop, event loop, checkouts at 40/s for 10 s; per checkout",
}


def table(head, rows):
    """Text in columns, all but the first to the right."""
    widths = [max(len(line[i]) for line in [head] + rows) for i in range(len(head))]
    lines = []
    for line in [head] + rows:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def workload_text(workload, rows):
    columns = [c for c in COLUMNS if any(c[1] in found for found in rows.values())]
    body = [[row] + [form % found[key] if key in found else "-" for _, key, form in columns]
            for row, found in rows.items()]
    return f"{TITLES[workload]}\n" + table([""] + [c[0] for c in columns], body)


def programs_text(runs):
    lines = []
    for (workload, row), run in sorted(runs.items()):
        for name, hits, each, other, pays in figures.programs(run):
            lines.append([f"{workload} {row} {name}", f"{hits:.2f}", f"{each:.0f}", f"{other:.0f}",
                          f"{pays:.0f}"])
    if not lines:
        return ""
    return "BPF programs (by the kernel's own clock, whose 46 instructions per hit are included)\n" + table(
        ["", "hits/request", "instructions/hit", "of unobserved/hit", "target's/request"], lines)


def threads_text(runs):
    lines = [[f"{workload} {row} +{number}", f"{k:.2f}", f"{waited:.0f}"]
             for (workload, row), run in sorted(runs.items())
             for number, k, waited in figures.threads(run)]
    return "zerospan's threads, rests included\n" + table(
        ["", "k/request", "ms waiting for the CPU"], lines) if lines else ""


def budgets_text(verdicts):
    body = [[budget.text, f"{value:.2f}", f"{budget.most}", f"{workload} {row}",
             "met" if met else "EXCEEDED"] for budget, workload, row, value, met in verdicts]
    return "Budgets, by their worst row\n" + table(["", "is", "at most", "in", ""], body) if body else ""


def differences(all_results):
    """(percent, what) of every figure that the first two results have, the largest first; not of differences."""
    found = []
    for workload, rows in all_results[0].items() if len(all_results) > 1 else ():
        for row, numbers in rows.items():
            for name, a in numbers.items():
                b = all_results[1][workload][row][name]
                if "added" not in name:
                    pct = 100 * abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0
                    found.append((pct, f"{workload} {row} {name}: {a:.4g} and {b:.4g}"))
    return sorted(found, reverse=True)


def stability_text(differing, most_pct):
    if not differing:
        return ""
    exact = sum(pct == 0 for pct, _ in differing)
    lines = [f"Two runs: {len(differing)} figures, {exact} of them exactly the same; at most {most_pct} % "
             "is allowed, the largest differences are"]
    lines += [f"  {pct:6.3f} %  {what}" for pct, what in differing[:5]]
    return "\n".join(lines) + "\n"


def text(results, runs, verdicts, stability):
    parts = [workload_text(workload, rows) for workload, rows in results.items()]
    parts += [programs_text(runs), threads_text(runs), budgets_text(verdicts), stability]
    return "\n".join(part for part in parts if part)


def document(results, runs, verdicts):
    return {
        "figures": results,
        "programs": {f"{workload} {row}": [
            dict(zip(("name", "hits_per_request", "instructions_per_hit", "unobserved_per_hit",
                      "target_per_request"), line)) for line in figures.programs(run)]
            for (workload, row), run in sorted(runs.items()) if figures.programs(run)},
        "budgets": [{"budget": b.text, "workload": workload, "row": row, "value": value,
                     "most": b.most, "met": met} for b, workload, row, value, met in verdicts],
        "raw": {f"{workload} {row}": run.phases for (workload, row), run in sorted(runs.items())},
    }
