# SPDX-License-Identifier: Apache-2.0
"""What is observed, and the load on it. A target has a pid, workloads, and its own count of what it served.

A workload's run(seconds, alone) returns requests, seconds, and latencies in microseconds. It asks as fast as it can, over
several connections; alone over one, so that there is one request at a time, server and client on one CPU. Then the server
takes the same steps for each request, and CPU times are steady: otherwise it finds several at once, or fewer because
others use the CPUs, and the way from one CPU to the other costs a virtual machine more than the request.
A workload that asks itself (always_alone) has no latencies, and may return its own CPU time.
"""
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import lib
import nginx
import shop
from lib import check, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
UNITS_US = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}
BIG_BYTES = 10_000
CPU_ALONE = max(os.sched_getaffinity(0))
QUERIES = {"a row by its key, per statement": "point", "prepared each time, per statement": "anew",
           "a million rows, per row": "rows"}  # what busy_sqlite calls them
WARM_S = 0.2


def placed(alone):
    """How a client is started: alone on the CPU of the server."""
    return ["taskset", "-c", str(CPU_ALONE)] if alone else []


class Wrk:
    """wrk on one URL."""

    always_alone = False

    def __init__(self, test, name, url, connections=16, method="GET", body=None):
        self.test, self.name, self.url, self.connections = test, name, url, connections
        self.environment = {"BENCH_METHOD": method}
        if body:
            self.environment["BENCH_BODY"] = body

    def run(self, seconds, alone=False):
        connections = 1 if alone else self.connections
        # wrk wants whole seconds; it is ended by SIGINT, which it takes as the end of its time.
        process = self.test.start(*placed(alone), lib.tool("wrk", "wrk"), "-t1", f"-c{connections}", "-d60",
                                  "--latency", "-s", os.path.join(HERE, "load.lua"), self.url,
                                  env=self.environment)
        end_after(process, seconds)
        out = process.out
        check("Non-2xx" not in out and "connect" not in socket_errors(out), f"wrk met errors:\n{out}")
        requests, took = re.search(r"(\d+) requests in ([\d.]+\w+),", out).groups()
        return {"requests": int(requests), "seconds": microseconds(took) / 1e6,
                "p50_us": float(re.search(r"^median ([\d.]+) us$", out, re.M)[1]), "p99_us": percentile(out, 99)}


def catches_interrupt(process):
    """Whether SIGINT would be handled by now: before that it would kill."""
    with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as f:
        return int(re.search(r"^SigCgt:\s+(\w+)", f.read(), re.M).group(1), 16) >> (signal.SIGINT - 1) & 1


def end_after(process, seconds):
    """By SIGINT, again and again: one that comes before the program's sleep is lost."""
    wait_for(lambda: process.status is not None or catches_interrupt(process), f"{process.name} to begin", 20)
    ends = time.monotonic() + seconds + 20
    wait = seconds
    while process.status is None and time.monotonic() < ends:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.popen.wait(wait)
        process.signal(signal.SIGINT)
        wait = 0.5
    lib.equal(process.status, 0, f"exit status of {process.name}")


def socket_errors(out):
    """Names of the kinds of errors that wrk counts as other than 0."""
    match = re.search(r"Socket errors: (.*)", out)
    return [name for name, n in re.findall(r"(\w+) (\d+)", match.group(1)) if n != "0"] if match else []


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()
    return float(number) * UNITS_US[unit]


def percentile(out, which):
    return microseconds(re.search(rf"^\s+{which}%\s+(\S+)", out, re.M).group(1))


class Chat:
    """build/bench/chatty_client."""

    always_alone = False

    def __init__(self, test, port):
        self.test, self.name, self.port = test, "chatty", port

    def run(self, seconds, alone=False):
        process = self.test.start(*placed(alone), os.path.join(lib.BUILD, "bench", "chatty_client"), self.port,
                                  seconds, 1 if alone else 16)
        lib.equal(process.wait(seconds + 10), 0, "exit status of chatty_client")
        return json.loads(process.out)


class Queries:
    """A kind of work of build/bench/busy_sqlite; a request is an execution, or one of its rows."""

    always_alone = True

    def __init__(self, process, name, kind):
        self.process, self.name, self.kind = process, name, kind
        self.executions = 0

    def run(self, seconds, alone=True):
        del alone
        answers = self.process.out.count("\n")
        os.write(self.process.popen.stdin.fileno(), f"{self.kind} {seconds}\n".encode())
        wait_for(lambda: self.process.out.count("\n") > answers, f"the end of {self.name}", seconds + 60)
        load = json.loads(self.process.out.splitlines()[-1])
        self.executions += load["executions"]
        return load


class Nginx(nginx.Nginx):
    """nginx with two workers: a fixed answer, and a file by sendfile."""

    def __init__(self, test, connections=256):
        super().__init__(test, connections)
        self.file("10k.bin", os.urandom(BIG_BYTES))
        base = f"http://127.0.0.1:{self.port}"
        self.workloads = [Wrk(test, "nginx 200", base + "/hello"), Wrk(test, "nginx 10 kB", base + "/10k.bin")]

    def counts(self):
        """Ends nginx, which then writes its log."""
        return {"server": sum(self.served().values())}


class Shop(shop.Shop):
    """The shop, calling itself for the inventory."""

    def __init__(self, test, model):
        super().__init__(test, model, "--journal", "wal")
        base = f"http://127.0.0.1:{self.port}"
        short = model.split("-")[0]
        self.workloads = [
            Wrk(test, f"shop / {short}", base + "/"),
            Wrk(test, f"checkout {short}", base + "/checkout", 4, "POST", json.dumps(shop.order()))]

    def counts(self):
        """By its log and its database; every checkout has one call and four statements."""
        lib.wait_stable(lambda: os.stat(self.process.out_path).st_size, "the shop", 0.1)
        db = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        (orders,), = db.execute("SELECT count(*) FROM orders")
        db.close()
        return {"server": self.process.out.count('"msg":"request"'), "client": orders,
                "statements": 4 * orders}


class Chatty:
    """build/bench/chatty_server: small messages that are no HTTP."""

    def __init__(self, test):
        self.process = test.start(os.path.join(lib.BUILD, "bench", "chatty_server"))
        self.pid = self.process.pid
        self.workloads = [Chat(test, int(wait_for(lambda: self.process.out, "chatty_server")))]

    def counts(self):
        return {"server": 0}


class Sqlite:
    """build/bench/busy_sqlite: Debian's library, a database in memory, no HTTP."""

    def __init__(self, test):
        self.process = test.start(os.path.join(lib.BUILD, "bench", "busy_sqlite"), stdin=subprocess.PIPE)
        self.pid = self.process.pid
        self.workloads = [Queries(self.process, f"sqlite: {name}", kind) for name, kind in QUERIES.items()]
        self.warm_up(lambda: self.workloads[0].executions > 0)  # and has its library

    def warm_up(self, settled):
        """Work, a little at a time, until that is true; none of it counts."""
        wait_for(lambda: settled() or not self.workloads[0].run(WARM_S), "the observer to be settled", 60)
        self.workloads[0].executions = 0

    def counts(self):
        return {"statements": sum(workload.executions for workload in self.workloads)}


TARGETS = {"nginx": Nginx, **{f"shop-{model.split('-')[0]}": lambda t, model=model: Shop(t, model)
                              for model in shop.MODELS}, "chatty": Chatty, "sqlite": Sqlite}
