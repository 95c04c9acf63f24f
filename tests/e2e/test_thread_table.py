# SPDX-License-Identifier: Apache-2.0
"""Threads whose numbers share a bucket of the kernel side's table (bpf/thread_table.bpf.c) come and go without harm to each
other, and one that finds no room is counted."""
import os
import signal

import lib
import observer
from lib import Skip, check, equal
from puppeteer import Puppet, Wire

BUCKETS, ROOM = 32768, 4  # ZSP_THREAD_MARKS, ZSP_THREAD_BUCKET_MAX
PID_MAX = "/proc/sys/kernel/pid_max"
REQUEST = "GET {} HTTP/1.1\r\nHost: a\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def write_pid_max(value):
    with open(PID_MAX, "w", encoding="ascii") as f:
        f.write(str(value))


class Family:
    """The puppet and children of it in the same bucket, each serving a connection of its own."""

    def __init__(self, t):
        with open(PID_MAX, encoding="ascii") as f:
            pid_max = int(f.read())
        if pid_max < 8 * BUCKETS:
            try:
                write_pid_max(8 * BUCKETS)
            except OSError as error:
                raise Skip(f"{PID_MAX}: {error.strerror}") from error
            t.cleanup(write_pid_max, pid_max)
        self.puppet = Puppet(t)
        self.wires, self.pids = {}, {}

    def fork(self, name):
        """Numbers that nobody else has are easily found."""
        self.wires[name] = Wire(self.puppet)
        used = {self.puppet.pid, *self.pids.values()}
        pid = next(pid for pid in range(self.puppet.pid % BUCKETS, 8 * BUCKETS, BUCKETS)
                   if pid > 300 and pid not in used and not os.path.exists(f"/proc/{pid}"))
        self.pids[name] = self.puppet.do("fork", worker=name, pid=pid)
        equal(self.pids[name], pid, "pid of the child")

    def kill(self, name):
        os.kill(self.pids.pop(name), signal.SIGKILL)
        self.puppet.do("wait", child=name)

    def serve(self, name, path):
        wire = self.wires[name]
        wire.take(REQUEST.format(path).encode(), by=name)
        wire.give(RESPONSE, by=name)
        return path


def paths(zerospan):
    return sorted(span.get("url.path") for span in zerospan.spans())


def comes_and_goes(t, order):
    """One child is there before its process is observed, others come later; one after the other dies, in any order."""
    family, served = Family(t), []
    family.fork("a")
    zerospan = observer.observe(t, "--pid", family.puppet.pid)
    family.fork("b")
    family.fork("c")
    for dies in ["", *order]:
        if dies:
            family.kill(dies)
        served += [family.serve(name, f"/{name}-after-{dies}") for name in family.pids]
    for name in "def"[:ROOM - 1]:
        family.fork(name)
        served.append(family.serve(name, f"/{name}"))
    lib.wait_for(lambda: paths(zerospan) == sorted(served),
                 lambda: f"a span for each of {sorted(served)}, there are {paths(zerospan)}")
    zerospan.finish()
    equal(zerospan.summary().lost, 0, "losses")


def test_oldest_dies_first(t):
    comes_and_goes(t, "abc")


def test_youngest_dies_first(t):
    comes_and_goes(t, "cba")


def test_middle_one_dies_first(t):
    comes_and_goes(t, "bac")


def test_bucket_is_full(t):
    """One more than there is room for goes unseen and is counted; when another one is gone there is room for the next."""
    family = Family(t)
    zerospan = observer.observe(t, "--pid", family.puppet.pid)
    names = [f"child{i}" for i in range(ROOM)]  # and the puppet itself
    for name in names:
        family.fork(name)
    family.kill(names[0])
    family.fork("next")
    served = [family.serve(name, f"/{name}") for name in [*names[1:], "next"]]
    served.remove(f"/{names[-1]}")
    lib.wait_stable(lambda: len(zerospan.spans()), "the spans", quiet=0.3)
    zerospan.finish()
    equal(paths(zerospan), sorted(served), "requests seen")
    check("1 lost (1 thread_table_full)" in zerospan.err, f"the losses are not told: {zerospan.err}")
