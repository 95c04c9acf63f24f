# SPDX-License-Identifier: Apache-2.0
"""What is measured once and not in rounds: start-up, ten thousand connections, a dead endpoint, the size."""
import contextlib
import os
import resource
import socket
import subprocess

import lib
import measure
import session
from observers import ROWS, Zerospan
from targets import Chatty, Nginx, Shop

STARTS = 3
CONNECTIONS = 10_000
REQUEST = b"GET /hello HTTP/1.1\r\nHost: bench\r\n\r\n"


@contextlib.contextmanager
def testing(name):
    test = lib.Test("bench." + name)
    try:
        yield test
    finally:
        test.end()
        test.remove()


def startup():
    """Milliseconds from exec to ready, and CPU until then, each the median and quartiles of some starts."""
    rows = {"floor": ("floor", Chatty), "zerospan": ("metrics", Chatty),
            "zerospan on SQLite": ("metrics", lambda t: Shop(t, "pool")),
            "bpftrace": ("bpftrace", Chatty), "strace": ("strace", Chatty)}
    taken = {name: [] for name in rows}
    for _ in range(STARTS):
        for name, (row, target) in rows.items():
            with testing("startup") as test:
                observer = ROWS[row](test, target(test))
                taken[name].append((observer.startup_ms, observer.startup_cpu_ms))
                observer.stop()
    return {name: {"ms": measure.middle([ms for ms, _ in values]), "cpu_ms": measure.middle([cpu for _, cpu in values])}
            for name, values in taken.items()}


def ask(port):
    """A connection that has made one request and stays."""
    connection = socket.create_connection(("127.0.0.1", port), 5)
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b"hello\n"):
        piece = connection.recv(4096)
        lib.check(piece, "nginx closed a connection")
        answer += piece
    return connection


def connections(row):
    """Memory with many idle connections, each of which has made one request."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CONNECTIONS + 1000:
        return {"skipped": f"the limit of open files is {hard}"}
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with testing("connections") as test, contextlib.ExitStack() as kept:
        nginx = Nginx(test, connections=CONNECTIONS + 200)
        observer = ROWS[row](test, nginx)
        empty_mb, _ = measure.memory_mb(observer.process.pid)
        for _ in range(CONNECTIONS):
            kept.enter_context(ask(nginx.port))
        lib.wait_for(lambda: session.counted(observer.metrics())["server"] >= CONNECTIONS, "all to be counted")
        now_mb, peak_mb = measure.memory_mb(observer.process.pid)
        lost = observer.metrics().lost()
        maps_mb = measure.maps_mb(observer.process.pid)
        observer.stop()
        return {"connections": CONNECTIONS, "empty_rss_mb": empty_mb, "rss_mb": now_mb, "peak_rss_mb": peak_mb,
                "maps_mb": maps_mb, "lost": sum(lost.values())}


class DeadEndpoint(Zerospan):
    """OTLP to somebody who takes connections and says nothing."""

    def environment(self, test):
        self.silent = socket.create_server(("127.0.0.1", 0), backlog=16)
        test.cleanup(self.silent.close)
        return {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{self.silent.getsockname()[1]}"}


def dead_endpoint(seconds):
    """nginx at its maximum while the endpoint is dead: requests counted, events lost, spans that were given up."""
    with testing("dead_endpoint") as test:
        nginx = Nginx(test)
        observer = DeadEndpoint(test, nginx)
        load = nginx.workloads[0].run(seconds)
        result = session.compare(nginx, observer)
        _, result["peak_rss_mb"] = measure.memory_mb(observer.process.pid)
        metrics = observer.metrics()
        result["rate"] = load["requests"] / load["seconds"]
        result["not_delivered"] = (
            metrics.sum("otel_sdk_exporter_span_exported_total", error_type="_OTHER") +
            metrics.sum("otel_sdk_processor_span_processed_total", error_type="queue_full"))
        observer.stop()
        return result


def size():
    """Bytes of the stripped program, and of what else is to be installed beside it."""
    with testing("size") as test:
        out = test.path("stripped")
        subprocess.run([lib.tool("strip", "binutils"), "-o", out, lib.built("zerospan")], check=True, timeout=60)
        return {"zerospan": os.stat(out).st_size, "bpftrace": os.stat(lib.tool("bpftrace", "bpftrace")).st_size,
                "strace": os.stat(lib.tool("strace", "strace")).st_size}
