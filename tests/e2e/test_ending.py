# SPDX-License-Identifier: Apache-2.0
"""However zerospan ends, nothing of it stays, and its target notices nothing."""
import json
import os
import signal

import bpf
import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for
from nginx import Load, Nginx
from shop import Shop, order

GONE_S = 10.0


def uprobes():
    """Uprobe events that are defined in tracefs, where it is mounted."""
    try:
        with open("/sys/kernel/tracing/uprobe_events", encoding="ascii") as f:
            return f.read()
    except OSError:
        return ""


def ended_by(t, number):
    before, uprobes_before = bpf.loaded(), uprobes()
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    own = bpf.of_process(zerospan.pid)
    check(own, "zerospan holds no BPF program while it observes")
    equal(shop.client().post_json("/checkout", order()).status, 200, "checkout")
    equal(zerospan.stop(number), 0, "exit status")
    summary = zerospan.summary()
    equal((summary.spans, summary.traces, summary.lost), (7, 1, 0), "spans, traces, losses")
    check(summary.events > 0, "the summary names no events")
    equal(len(zerospan.spans()), 7, "spans written although the end came right after the request")
    wait_for(lambda: not own & set(bpf.loaded()), "zerospan's programs to be gone", GONE_S)
    wait_for(lambda: not bpf.left_behind(before), lambda: f"programs: {bpf.left_behind(before)}")
    equal(uprobes(), uprobes_before, "uprobe events in tracefs")
    equal(shop.client().get("/").status, 200, "the target afterwards")


def test_interrupt(t):
    ended_by(t, signal.SIGINT)


def test_terminate(t):
    ended_by(t, signal.SIGTERM)


def test_quiet(t):
    """-q: no summary, nothing at all on stderr."""
    shop = Shop(t)
    zerospan = observer.start(t, "trace", "-q", "--format", "otlp-json", "--pid", shop.pid)
    wait_for(lambda: bpf.of_process(zerospan.pid), "zerospan to load its programs")

    def seen():
        shop.client().get("/")
        return zerospan.spans()

    wait_for(seen, "a span")
    equal(zerospan.stop(), 0, "exit status")
    equal(zerospan.err, "", "stderr")


def test_interrupt_before_it_is_ready(t):
    """Ctrl-C in the middle of the start ends it as well, and leaves nothing."""
    shop = Shop(t)
    before = bpf.loaded()
    zerospan = observer.start(t, "trace", "--pid", shop.pid)
    wait_for(lambda: bpf.of_process(zerospan.pid) or zerospan.status is not None, "a first program")
    zerospan.stop()
    wait_for(lambda: not bpf.left_behind(before), lambda: f"programs: {bpf.left_behind(before)}")


def test_interrupt_twice(t):
    """An impatient second Ctrl-C does no harm."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    zerospan.signal(signal.SIGINT)
    zerospan.signal(signal.SIGINT)
    equal(zerospan.wait(), 0, "exit status")


def test_reader_of_stdout_is_gone(t):
    """`zerospan trace | head -1`: the broken pipe ends neither in a hang nor in a crash."""
    shop = Shop(t)
    read, write = os.pipe()
    zerospan = observer.start(t, "trace", "--format", "otlp-json", "--pid", shop.pid, stdout=write)
    os.close(write)
    zerospan.wait_ready()
    os.close(read)
    for _ in range(5):
        equal(shop.client().get("/").status, 200, "the target")
    status = zerospan.stop()
    check(status in (0, 1), f"exit status with a closed stdout: {status}")


@lib.deadline(90)
def test_killed_under_load(t):
    """SIGKILL: the target loses no request and no probe stays behind."""
    before = bpf.loaded()
    nginx = Nginx(t)
    zerospan = observer.observe_run(t, "--pid", nginx.pid)
    own = bpf.of_process(zerospan.pid)
    load = Load(t, f"http://127.0.0.1:{nginx.port}/hello", seconds=4)
    enough = 5000 / lib.SLOWNESS
    wait_for(lambda: zerospan.metrics().sum("http_server_request_duration_seconds_count") > enough,
             "load to be seen")
    equal(zerospan.stop(signal.SIGKILL), -signal.SIGKILL, "exit status")
    requests = load.finish()
    wait_for(lambda: not own & set(bpf.loaded()), "zerospan's programs to be gone", GONE_S)
    wait_for(lambda: not bpf.left_behind(before), lambda: f"programs: {bpf.left_behind(before)}")
    check(requests > enough, "wrk was not at work any more when zerospan was killed")
    equal(nginx.client().get("/hello").status, 200, "the target afterwards")
    t.note(f"{requests} requests, none failed")


@lib.deadline(90)
def test_shop_while_observers_come_and_go(t):
    """Attach and detach, also by SIGKILL, while statements run: the shop answers every request."""
    shop = Shop(t, "thread-per-connection", "--journal", "wal")
    traffic = t.start(lib.built("traffic"), "--url", f"http://127.0.0.1:{shop.port}", "--rate", "100",
                      "--duration", "80", "--mix", "headphones:1")
    for number in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        zerospan = observer.observe(t, "--pid", shop.pid)
        zerospan.wait_spans(30)
        zerospan.stop(number)
    equal(traffic.status, None, "traffic still runs")
    traffic.signal(signal.SIGTERM)
    equal(traffic.wait(40), 0, "exit status of traffic")
    result = json.loads(traffic.out)
    equal(result["skipped"], 0, "requests that traffic could not send")
    equal(result["status"], {"200": result["sent"]}, "answers by status")
    equal(Client(shop.port).get("/").status, 200, "the shop afterwards")


def test_nothing_is_mounted(t):
    """tracefs need not be mounted, and zerospan mounts nothing that others see."""
    def mounts():
        with open("/proc/mounts", encoding="ascii") as f:
            return f.read()

    before = mounts()
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    equal(mounts(), before, "/proc/mounts while zerospan observes")
    shop.client().get("/")
    zerospan.wait_spans(1)
    zerospan.finish()
    equal(mounts(), before, "/proc/mounts afterwards")
    if " tracefs " in before:
        raise lib.Skip("tracefs is mounted on this machine; that zerospan can do without was not tried")
