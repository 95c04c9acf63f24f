# SPDX-License-Identifier: Apache-2.0
"""The results as text for a terminal and as Markdown for the README."""

COLUMNS = (  # title, figure, how
    ("CPU µs", "target_us", "number"), ("added µs", "added_us", "spread"), ("x floor", "floors", "plain"),
    ("own µs", "observer_us", "number"), ("p50 µs", "p50_us", "number"), ("change", "p50_change", "percent"),
    ("p99 µs", "p99_us", "whole"), ("max: req/s", "max_rate", "whole"), ("change", "rate_change", "percent"),
    ("CPU µs", "max_target_us", "number"), ("added", "max_added_us", "number"), ("own", "max_observer_us", "number"),
    ("p50", "max_p50_us", "number"), ("p99", "max_p99_us", "whole"),
    ("records", "records_per_request", "number"), ("bytes", "bytes_per_request", "whole"),
    ("lost", "lost", "count"), ("missing", "missing", "count"), ("RSS MB", "rss_mb", "number"),
    ("start ms", "startup_ms", "whole"))
SQLITE_COLUMNS = (
    ("CPU ns", "target_us", "ns"), ("added ns", "added_us", "ns spread"), ("x floor", "floors", "plain"),
    ("own ns", "observer_us", "ns"), ("records", "records_per_request", "number"), ("lost", "lost", "count"),
    ("missing", "missing", "count"))
README_ROWS = ("floor", "bpftrace", "strace", "metrics", "traces", "otlp")
SQLITE_ROWS = ("floor", "statements", "metrics", "traces", "otlp")
BEGIN, END = "<!-- {}: begin", "<!-- {}: end -->"


def number(value):
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def cell(value, how):
    if value is None:
        return "-"
    if how == "count":
        return f"{value:.0f}"
    if how == "plain":
        return f"{value:.1f}"
    if how == "spread":
        return f"{value[0]:+.1f} [{value[1]:+.1f} {value[2]:+.1f}]"
    if how == "ns":
        return f"{value[0] * 1e3:.0f}"
    if how == "ns spread":
        return "{:+.0f} [{:+.0f} {:+.0f}]".format(*(us * 1e3 for us in value))
    if how == "percent":
        return f"{value[0]:+.0%}"
    return f"{value[0]:.0f}" if how == "whole" else number(value[0])


def aligned(lines):
    """Lines of cells as text: the first two columns to the left, all others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "".join("  ".join(text.ljust(width) if i < 2 else text.rjust(width)
                             for i, (text, width) in enumerate(zip(line, widths))).rstrip() + "\n" for line in lines)


def sessions(rows, columns):
    lines = [["workload", "row", *(title for title, _, _ in columns)]]
    for row in rows:
        lines.append([row["workload"], row["row"], *(cell(row[figure], how) for _, figure, how in columns)])
    text = aligned(lines).splitlines(keepends=True)
    seen = None
    for i, row in enumerate(rows):  # a gap between workloads
        if seen not in (None, row["workload"]):
            text[i + 1] = "\n" + text[i + 1]
        seen = row["workload"]
    return "".join(text)


def bystanders(rows):
    lines = [["unobserved process", "", "getppid ns", "x tracepoint", "pipe ns", "x tracepoint"]]
    for row, calls in rows.items():
        lines.append([row, ""] + [text for call in calls.values()
                                  for text in (cell(call["ns"], "whole"),
                                               f"{call['of_tracepoint'][0]:.2f}" if call["of_tracepoint"] else "-")])
    return aligned(lines)


def starts(startup):
    lines = [["start-up", "", "ms to ready", "ms of CPU"]]
    lines += [[name, "", f"{value['ms'][0]:.0f}", f"{value['cpu_ms'][0]:.0f}"] for name, value in startup.items()]
    return aligned(lines)


def other_figures(extras):
    text = ""
    for row, memory in extras.get("connections", {}).items():
        text += f"connections, {row}: " + (memory.get("skipped") or (
            f"{memory['empty_rss_mb']:.1f} MB resident at first, {memory['rss_mb']:.1f} MB with "
            f"{memory['connections']} connections (peak {memory['peak_rss_mb']:.1f}), BPF maps "
            f"{memory['maps_mb']:.1f} MB, {memory['lost']:.0f} lost")) + "\n"
    dead = extras.get("dead_endpoint")
    if dead:
        text += (f"dead OTLP endpoint: {dead['served']['server']} requests served at {dead['rate']:.0f}/s, "
                 f"{dead['seen']['server']:.0f} counted, {dead['lost']:.0f} events lost, "
                 f"{dead['not_delivered']:.0f} spans given up so far, peak {dead['peak_rss_mb']:.1f} MB resident\n")
    if "size" in extras:
        text += "size: " + ", ".join(f"{name} {value / 1e3:.0f} kB" for name, value in extras["size"].items()) + "\n"
    return text


def verdicts(budgets):
    return aligned([["budget", "", "limit", "measured", ""]] +
                   [[b["budget"], "", b["limit"], b["measured"], b["verdict"]] for b in budgets])


def text(result):
    extras = result["extras"]
    parts = [result["head"] + "\n", sessions(result["table"], COLUMNS) if result["table"] else "",
             sessions(result["sqlite"], SQLITE_COLUMNS) if result["sqlite"] else "",
             bystanders(result["bystander"]) if result["bystander"] else "",
             starts(extras["startup"]) if "startup" in extras else "", other_figures(extras),
             verdicts(result["budgets"]) if result["budgets"] else ""]
    return "\n".join(part for part in parts if part)


# --- README


def by_workload(rows):
    """Each workload, with what gives its cells, several rows' in one."""
    by = {(row["workload"], row["row"]): row for row in rows}
    for workload in dict.fromkeys(row["workload"] for row in rows):
        def get(names, figure, how, workload=workload):
            return " / ".join(cell(by[workload, name][figure], how) if (workload, name) in by else "-"
                              for name in names.split())

        yield workload, get


def heading(first, rows, *last):
    titles = ["bare", *("+ " + row for row in rows), *last]
    return [f"| {first} | " + " | ".join(titles) + " |", "|---|" + "--:|" * len(titles)]


def markdown(result):
    lines = [result["head"], "", *heading("workload", README_ROWS, "own: metrics / otlp", "req/s: metrics / otlp",
                                          "p50: metrics / otlp", "records", "bytes")]
    for workload, get in by_workload(result["table"]):
        lines.append(f"| {workload} | " + " | ".join([
            get("bare", "target_us", "number"), *(get(row, "added_us", "number") for row in README_ROWS),
            get("metrics otlp", "max_observer_us", "number"), get("metrics otlp", "rate_change", "percent"),
            get("metrics otlp", "p50_change", "percent"), get("metrics", "records_per_request", "number"),
            get("metrics", "bytes_per_request", "whole")]) + " |")
    if result["bystander"]:
        lines += ["", "| unobserved process, ns per call | " + " | ".join(result["bystander"]) + " |",
                  "|---|" + "--:|" * len(result["bystander"])]
        for call, name in (("getppid_ns", "getppid"), ("pipe_ns", "read and write on a pipe")):
            lines.append(f"| {name} | " + " | ".join(
                cell(calls[call]["ns"], "whole") for calls in result["bystander"].values()) + " |")
    lines += ["", "| budget | limit | measured | |", "|---|---|---|---|"]
    lines += [f"| {b['budget']} | {b['limit']} | {b['measured']} | {b['verdict']} |" for b in result["budgets"]]
    return "\n".join(lines) + "\n"


def sqlite_markdown(result):
    lines = [result["head"], "", *heading("ns of CPU", SQLITE_ROWS, "x floor: metrics", "own: metrics / traces / otlp",
                                          "records", "lost: metrics / traces / otlp")]
    for workload, get in by_workload(result["sqlite"]):
        lines.append(f"| {workload} | " + " | ".join([
            get("bare", "target_us", "ns"), *(get(row, "added_us", "ns") for row in SQLITE_ROWS),
            get("metrics", "floors", "plain"), get("metrics traces otlp", "observer_us", "ns"),
            get("metrics", "records_per_request", "number"), get("metrics traces otlp", "lost", "count")]) + " |")
    return "\n".join(lines) + "\n"


def insert(path, result):
    """Replace what stands between the marks in a Markdown file, of that which was measured."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    others = [name for name in ("table", "bystander", "extras") if result[name]]
    for name, of, content in (("bench", others, markdown), ("bench sqlite", result["sqlite"], sqlite_markdown)):
        if of:
            before, rest = text.split(BEGIN.format(name), 1)
            mark, rest = rest.split("\n", 1)
            _, after = rest.split(END.format(name), 1)
            text = before + BEGIN.format(name) + mark + "\n" + content(result) + END.format(name) + after
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
