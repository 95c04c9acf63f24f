# SPDX-License-Identifier: Apache-2.0
"""Makes detaching quick for the tests after it.

Removing the last user of a tracepoint makes the kernel wait for grace periods, one tracepoint after the other: 1.7 s for
those of system calls, at the end of each zerospan. So a first one's perf events are kept open; their programs leave with it.
"""
import collections
import contextlib
import ctypes
import os
import signal

import lib
import observer

SYS_PIDFD_GETFD = 438  # of every architecture
PERF_EVENT, PERF_LINK = "anon_inode:[perf_event]", "anon_inode:bpf_link"

_libc = ctypes.CDLL(None, use_errno=True)


def descriptors(pid):
    """Its descriptors by what they are."""
    found = collections.defaultdict(list)
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found[os.readlink(f"/proc/{pid}/fd/{number}").lower()].append(int(number))
    return found


def keep_tracepoints():
    """Hold the perf events of system calls from here to the end of this process, if programs do not stay on them."""
    test = lib.Test("quick_detach")
    try:
        idle = test.start(lib.PYTHON, "-c", "import signal; signal.pause()")
        zerospan = observer.observe_run(test, "--pid", idle.pid)
        of = descriptors(zerospan.pid)
        # Before Linux 5.15 a program hangs on the event itself, not on a link, and would stay.
        if len(of[PERF_LINK]) >= len(of[PERF_EVENT]):
            pidfd = os.pidfd_open(zerospan.pid)
            for number in of[PERF_EVENT]:
                _libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
            os.close(pidfd)
        zerospan.signal(signal.SIGINT)
        zerospan.wait()
    finally:
        test.end()
        test.remove()
