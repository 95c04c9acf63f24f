# SPDX-License-Identifier: Apache-2.0
"""The values in /metrics, against what was done."""
import json
import os
import subprocess
import time

import lib
import observer
from http_raw import request_bytes
from lib import check, equal, wait_for
from otlp import Receiver
from otlp_metrics import decode_request
from shop import Shop, order

COUNT = "http_server_request_duration_seconds_count"
JOB = "unknown_service:shop"


def test_amounts(t):
    """Bodies to the byte, as both ends of a call see them, and the rows that statements returned."""
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid)
    client = shop.client()
    answers = [client.post_json("/checkout", order(quantity=n)) for n in (1, 2, 3)]
    equal([a.status for a in answers], [200] * 3, "answers")
    wait_for(lambda: zerospan.metrics().sum(COUNT) >= 6, "three checkouts and their calls")
    metrics = zerospan.metrics()
    sent = sum(len(json.dumps(order(quantity=n))) for n in (1, 2, 3))
    for name, total in (("request", sent), ("response", sum(len(a.body) for a in answers))):
        name = f"http_server_{name}_body_size_bytes"
        equal(metrics.types[name], "histogram", f"type of {name}")
        equal(metrics.sum(name + "_count", http_route="/checkout"), 3, f"count of {name}")
        equal(metrics.sum(name + "_sum", http_route="/checkout"), total, f"sum of {name}")
    for name in ("request", "response"):
        ends = [metrics.sum(f"http_{end}_{name}_body_size_bytes_{what}", **labels)
                for what in ("count", "sum")
                for end, labels in (("client", {}), ("server", {"http_route": "/inventory/deduct"}))]
        equal((ends[0], ends[1]), (3, 3), f"{name}s counted by client and server")
        check(ends[2] > 0, f"{name} bodies of calls are empty")
        equal(ends[2], ends[3], f"bytes of {name}s by client and server")
    expect_rows(metrics)
    zerospan.stop()


def expect_rows(metrics):
    rows = "db_client_response_returned_rows"
    equal(metrics.sum(rows + "_count"), metrics.sum("db_client_operation_duration_seconds_count"),
          "statements")
    equal(metrics.sum(rows + "_sum", db_query_summary="INSERT orders"), 0, "rows of INSERTs")
    selects = sum(n for labels, n in metrics.select(rows + "_count")
                  if labels["db_query_summary"].startswith("SELECT"))
    returned = sum(n for labels, n in metrics.select(rows + "_sum")
                   if labels["db_query_summary"].startswith("SELECT"))
    equal(selects, returned, "rows of SELECTs, which have one each")


def test_active_requests(t):
    """What is under way is counted from its head on, in its group, and is 0 once it is answered."""
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid)
    name = "http_server_active_requests"
    group = {"job": JOB, "http_request_method": "POST", "url_scheme": "http"}
    request = request_bytes("POST", "/checkout", body=json.dumps(order()))
    clients = [shop.client() for _ in range(3)]
    for client in clients:
        client.send(request[:-1])  # the shop waits for the last byte
    wait_for(lambda: zerospan.metrics().sum(name, **group) == 3, "three requests to be under way")
    clients[0].send(request[-1:])
    equal(clients[0].read_response().status, 200, "status")
    wait_for(lambda: zerospan.metrics().sum(name, **group) == 2, "one to be over")
    for client in clients[1:]:
        client.send(request[-1:])
        equal(client.read_response().status, 200, "status")
    wait_for(lambda: zerospan.metrics().sum(name, **group) == 0, "all to be over")
    metrics = zerospan.metrics()
    equal(metrics.types[name], "gauge", "type")
    equal([(labels["http_request_method"], labels["url_scheme"], value)
           for labels, value in metrics.select(name)], [("POST", "http", 0)], "groups")
    zerospan.stop()


EVERY_S = 10  # what /proc has is read so often


def test_processes(t):
    """What /proc has of the observed process, growing while it works, and gone when it is."""
    started = time.monotonic()
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid)

    def value(name):
        return zerospan.metrics().sum(name, job=JOB)

    def cpu():
        return value("process_cpu_time_seconds_total")

    wait_for(lambda: value("process_thread_count") > 0, "its threads")
    before = cpu()
    client = shop.client()
    while lib.cpu_seconds(shop.pid) < before + 0.1:
        client.post_json("/checkout", order())
    client.close()
    spent = lib.cpu_seconds(shop.pid)
    wait_for(lambda: cpu() >= spent - 0.011, "its CPU time to arrive", 2 * EVERY_S)
    check(cpu() <= lib.cpu_seconds(shop.pid) + 0.011, "more CPU time than it has")
    modes = {labels["cpu_mode"] for labels, _ in
             zerospan.metrics().select("process_cpu_time_seconds_total", job=JOB)}
    equal(modes, {"user", "system"}, "modes")
    wait_for(lambda: value("process_unix_file_descriptor_count") ==
             len(os.listdir(f"/proc/{shop.pid}/fd")), "its descriptors", 2 * EVERY_S)
    wait_for(lambda: value("process_thread_count") ==
             len(os.listdir(f"/proc/{shop.pid}/task")), "its threads", 2 * EVERY_S)
    with open(f"/proc/{shop.pid}/statm", encoding="utf-8") as f:
        size, resident = (int(n) * os.sysconf("SC_PAGESIZE") for n in f.read().split()[:2])
    check(0.9 < value("process_memory_virtual_bytes") / size < 1.1, "virtual memory")
    check(0.8 < value("process_memory_usage_bytes") / resident < 1.2, "resident memory")
    age = time.monotonic() - started
    check(age - 3 - EVERY_S < value("process_uptime_seconds") < age + 2, f"uptime is not {age} s")
    shop.process.end()
    wait_for(lambda: not zerospan.metrics().select("process_thread_count", job=JOB),
             "its metrics to go", 15)
    zerospan.stop()


@lib.deadline(90)
def test_server_between_two_exports(t):
    """It is gone long before the next export. What it counted is in that one, in no other, and still in /metrics."""
    receiver = Receiver(t)
    interval_s = 26  # it lives for a second or two, or until its first metrics, and is forgotten 5 s after its end
    Shop(t, name="stays")  # something to begin with
    zerospan = observer.observe_run(t, "--exe", lib.built("shop"), env={
        **receiver.environment, "OTEL_METRIC_EXPORT_INTERVAL": str(interval_s * 1000)})
    began = time.monotonic()
    shop = Shop(t, name="brief", env={"OTEL_SERVICE_NAME": "brief"})

    def lives():
        return zerospan.metrics().select("process_thread_count", job="brief")

    wait_for(lives, "it to be observed", 2 * EVERY_S)
    client = shop.client()
    for _ in range(3):
        equal(client.post_json("/checkout", order()).status, 200, "checkout")
    wait_for(lambda: zerospan.metrics().sum(COUNT, job="brief") == 6, "its requests to be counted")
    client.close()
    shop.process.end()
    wait_for(lambda: not lives(), "it to be forgotten")
    if receiver.metric_bodies:
        raise lib.Skip(f"the first export came before it was forgotten, which took {time.monotonic() - began:.0f} s")
    equal(zerospan.metrics().sum(COUNT, job="brief"), 6, "requests in /metrics after its end")
    wait_for(lambda: receiver.metric_bodies, "the export after its end", interval_s + 10)

    def requests(body):
        return sum(point.count for point in decode_request(body)
                   if point.name == "http.server.request.duration" and point.resource["service.name"] == "brief")

    equal(requests(receiver.metric_bodies[0]), 6, "requests in the export after its end")
    equal(zerospan.metrics().sum(COUNT, job="brief"), 6, "requests in /metrics after the export")
    equal(zerospan.stop(), 0, "exit status")
    check(len(receiver.metric_bodies) > 1, "no export at the end")
    equal([requests(body) for body in receiver.metric_bodies[1:]], [0], "requests in the export at the end")


@lib.deadline(90)
def test_probes(t):
    """How often each BPF program runs and for how long, for an amount of work that is known."""
    shop = Shop(t)
    zerospan = observer.observe_run(t, "--pid", shop.pid)
    told = subprocess.run([lib.built("zerospan"), "check"], capture_output=True, text=True, timeout=30, check=False)
    fact, = (line for line in told.stdout.splitlines() if line.startswith("probe statistics"))
    if " ok " not in fact:
        check("zerospan_probe_runs_total" in fact, f"what is missing is not named: {fact}")
        equal(probes(zerospan, "runs_total"), {}, "runs that the kernel does not count")
        raise lib.Skip(fact)
    client = shop.client()
    begin, done, before = time.monotonic(), 0, {}
    while time.monotonic() < begin + 12:
        client.get("/")
        done += 1
        if done % 500 == 0:
            now = probes(zerospan, "runs_total")
            check(all(now[name] >= before[name] for name in before), f"falls from {before} to {now}")
            before = now
    runs, seconds = probes(zerospan, "runs_total"), probes(zerospan, "time_seconds_total")
    equal(set(runs), set(seconds), "programs with runs and with time")
    for name in ("sched_switch", "sys_exit" if runs.get("sys_exit") else "call_return"):
        # 2 and 5 per request, from four windows in which the machine may have had other things to do; a fiftieth of that is counted
        check(done / 5 < runs[name] < done * 100, f"{name}: {runs[name]} runs in {done} requests")
        check(20e-9 < seconds[name] / runs[name] < 100e-6, f"{name}: {seconds[name]} s in {runs[name]} runs")
    equal(runs["sqlite_close"], 0, "runs of what nobody called")
    t.note(", ".join(f"{name} {runs[name] / done:.1f} of {seconds[name] / runs[name] * 1e9:.0f} ns"
                     for name in sorted(runs) if runs[name] > done / 10) + " per request")
    equal(sum(probes(zerospan, "skipped_total").values()) >= zerospan.metrics().lost().get("program_run_skipped", 0),
          True, "skipped runs by program cover those that are counted as lost")
    for name in ("zerospan_logs_lost_total", "zerospan_metrics_lost_total"):
        check(zerospan.metrics().select(name), f"no {name}")
        equal(zerospan.metrics().sum(name), 0, name)
    zerospan.stop()


def probes(zerospan, what):
    return {labels["zerospan_probe"]: value for labels, value in zerospan.metrics().select("zerospan_probe_" + what)}


def test_span_metrics(t):
    """Two services: the edges between them, from outside and to their databases, under Tempo's names; and not unless asked for."""
    inventory = Shop(t, name="inventory", env={"OTEL_SERVICE_NAME": "inventory"})
    gateway = Shop(t, "pool", "--inventory-url", f"http://127.0.0.1:{inventory.port}", name="gateway",
                   env={"OTEL_SERVICE_NAME": "gateway"})
    targets = ("--pid", inventory.pid, "--pid", gateway.pid)
    zerospan = observer.observe_run(t, "--span-metrics", *targets)
    for _ in range(4):
        equal(gateway.client().post_json("/checkout", order()).status, 200, "checkout")

    def edges(name="traces_service_graph_request_total"):
        return {(labels["client"], labels["server"], labels.get("connection_type", "")): value
                for labels, value in zerospan.metrics().select(name)}

    wanted = {("user", "gateway", ""): 4, ("gateway", "inventory", ""): 4, ("gateway", gateway.database, "database"): 8,
              ("inventory", inventory.database, "database"): 8}
    wait_for(lambda: edges() == wanted, lambda: f"edges: {edges()}")
    for name in ("traces_service_graph_request_server_seconds_count", "traces_service_graph_request_client_seconds_count"):
        equal(edges(name)["gateway", "inventory", ""], 4, name)
    calls = {(labels["service"], labels["span_name"], labels["span_kind"]): value
             for labels, value in zerospan.metrics().select("traces_spanmetrics_calls_total")}
    equal(calls["gateway", "POST /checkout", "SPAN_KIND_SERVER"], 4, "checkouts")
    equal(calls["gateway", "POST /inventory/deduct", "SPAN_KIND_CLIENT"], 4, "calls")
    metrics = zerospan.metrics()
    sizes = {(labels["service"], labels["span_name"], labels["span_kind"]): value / calls[labels["service"], labels["span_name"], labels["span_kind"]]
             for labels, value in metrics.select("traces_spanmetrics_size_total")}
    equal(set(sizes), set(calls), "spans that have a size")
    check(all(200 < size < 5000 for size in sizes.values()), f"bytes of spans: {sizes}")
    targets_told = {labels["job"]: labels for labels, value in metrics.select("traces_target_info") if value == 1}
    equal({job: labels["process_pid"] for job, labels in targets_told.items()},
          {"gateway": str(gateway.pid), "inventory": str(inventory.pid)}, "traces_target_info")
    for job, labels in targets_told.items():
        equal([labels], [labels for labels, _ in metrics.select("target_info", job=job)], f"labels of {job} in both")
    equal(zerospan.stop(), 0, "exit status")
    zerospan = observer.observe_run(t, *targets)
    gateway.client().get("/")
    wait_for(lambda: zerospan.metrics().sum(COUNT) == 1, "a request")
    names = {name for name, _, _ in zerospan.metrics().samples}
    check(not any(name.startswith("traces_") for name in names), "they are there although nobody asked")
    zerospan.stop()
