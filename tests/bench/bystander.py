# SPDX-License-Identifier: Apache-2.0
"""What a process pays that nobody observes, while another one is observed: CPU time per system call."""
import ctypes
import json
import os
import struct
import subprocess

import lib
import session
from observers import ROWS, TRACEFS, Nothing
from targets import Chatty

PERF_TYPE_TRACEPOINT = 2
PERF_ATTR_BYTES = 128
SYS_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}[os.uname().machine]
UNRELATED = "syscalls/sys_enter_personality"  # a call that nobody here makes


class AnyTracepoint(Nothing):
    """any tracepoint: no program, but one system call tracepoint is on, of a call that nobody makes."""

    def __init__(self, test, target):
        super().__init__(test, target)
        cat = subprocess.run(["unshare", "-m", "sh", "-c", TRACEFS + f"cat /sys/kernel/tracing/events/{UNRELATED}/id"],
                             capture_output=True, check=True, timeout=10)
        attr = struct.pack("IIQ", PERF_TYPE_TRACEPOINT, PERF_ATTR_BYTES, int(cat.stdout)).ljust(PERF_ATTR_BYTES, b"\0")
        self.fd = ctypes.CDLL(None, use_errno=True).syscall(SYS_PERF_EVENT_OPEN, attr, -1, 0, -1, 0)
        if self.fd < 0:
            raise lib.Failure(f"perf_event_open: {os.strerror(ctypes.get_errno())}")
        test.cleanup(os.close, self.fd)

    def stop(self):
        pass  # closed at the end of the test


BYSTANDER_ROWS = {"bare": Nothing, "any tracepoint": AnyTracepoint, "floor": ROWS["floor"],
                  "bpftrace": ROWS["bpftrace"], "metrics": ROWS["metrics"]}


def run(row, seconds):
    """Nanoseconds per call: getppid, and read or write of one byte on a pipe."""
    test = lib.Test(f"bench.bystander.{row}")
    try:
        others = session.foreign_programs()
        observer = BYSTANDER_ROWS[row](test, Chatty(test))
        busy = test.run(os.path.join(lib.BUILD, "bench", "busy_calls"), seconds, seconds=seconds + 10)
        lib.equal(busy.status, 0, "exit status of busy_calls")
        observer.stop()
        return dict(json.loads(busy.out), row=row, disturbed=bool(others or session.foreign_programs()))
    finally:
        test.end()
        test.remove()
