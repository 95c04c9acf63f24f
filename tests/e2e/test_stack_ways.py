# SPDX-License-Identifier: Apache-2.0
"""Stacks of a server as it runs, however it was compiled and wherever its debug information is (ways/)."""
import os
import re
import shutil
import subprocess

import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for

SOURCE = os.path.join(lib.HERE, "ways", "sleeper.c")
# Its own functions while it sleeps, innermost first.
FUNCTIONS = ["rest", "inlined_inner", "inlined_outer", "answer", "main"]


def line_of(function):
    with open(SOURCE, encoding="ascii") as f:
        number, = [number for number, line in enumerate(f, 1) if f"/* line of {function} */" in line]
    return number


def with_lines():
    return [f"{function} (sleeper.c:{line_of(function)})" for function in FUNCTIONS]


def frames(t, *argv, started=lambda: None):
    """Where the program waits while it serves a request, outwards from its clock_sleep(); started() is called once it runs."""
    process = t.start(*argv, observer.looked_at_ms(300))
    port = int(wait_for(lambda: process.out.partition("\n")[0], lambda: f"it to listen: {process.err}"))
    started()
    zerospan = observer.observe(t, "--pid", process.pid)
    equal(Client(port).get("/").status, 200, "status")
    span, = zerospan.finish()
    equal(span.get("zerospan.stack.state"), "sleep", f"{span}")
    found = span.get("zerospan.stack.user").split("\n")
    t.note(f"{os.path.basename(argv[-1])}: {' < '.join(found)}")
    check("nanosleep" in span.get("zerospan.stack.kernel"), f"{span.get('zerospan.stack.kernel')}")
    return found


def expect_lines(found):
    """All of the program's functions, inlined ones, too, with files and lines."""
    at = [number for number, frame in enumerate(found) if re.fullmatch(r"clock_sleep \(clocks\.c:\d+\)", frame)]
    equal(len(at), 1, f"frames of clock_sleep() among {found}")
    equal(found[at[0] + 1:at[0] + 1 + len(FUNCTIONS)], with_lines(), f"frames among {found}")


def way(name):
    return lib.made("ways", "ways", name)


def test_where_it_lies(t):
    """At an address that is new each time, and at the one that it was linked for."""
    for name in ("pie", "fixed"):
        expect_lines(frames(t, way(name)))


def test_debug_link(t):
    """Debug information that is a file of its own, which the stripped program names."""
    expect_lines(frames(t, way("linked")))


def test_build_id(t):
    """Debug information in a directory of build ids, which only the program's own root has; it is a container's."""
    chroot = lib.tool("chroot", "coreutils")
    expect_lines(frames(t, chroot, os.path.dirname(way("root/sleeper")), "/sleeper"))


def test_deleted(t):
    """The file is gone before anybody looks, and another one has its name."""
    path = t.path("sleeper")
    shutil.copy(way("pie"), path)

    def replace():
        os.unlink(path)
        shutil.copy(way("bare"), path)

    expect_lines(frames(t, path, started=replace))


# Functions that are there when some are inlined.
LEFT = ["clock_sleep", "rest", "answer", "main", "_start"]


def test_names_only(t):
    """Without debug information the names of functions that it exports, which does not tell what is inlined."""
    found = frames(t, way("exported"))
    equal([frame for frame in found if frame.endswith(" (exported)")], [f"{function} (exported)" for function in LEFT],
          f"frames among {found}")


def function_at(path, offset):
    """By the program's table of symbols."""
    nm = lib.tool("nm", "binutils")
    listed = subprocess.run([nm, "-S", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    for begin, size, name in re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [Tt] (\S+)$", listed, re.M):
        if int(begin, 16) <= offset < int(begin, 16) + int(size, 16):
            return name
    return None


def test_stripped(t):
    """Without any names the module and the offset in it, at which the same program with names has those functions."""
    offsets = [re.fullmatch(r"bare\+0x([0-9a-f]+)", frame) for frame in frames(t, way("bare"))]
    equal([function_at(way("pie"), int(offset[1], 16)) for offset in offsets if offset], LEFT, "functions at the offsets")
