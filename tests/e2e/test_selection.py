# SPDX-License-Identifier: Apache-2.0
"""Whom to observe, what happens when that cannot be, and how zerospan ends."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for
from shop import Shop

AT_ONCE_S = 3.0 * lib.SLOWNESS


def refused(t, args, status, *patterns, at_once=AT_ONCE_S):
    """zerospan ends at once, with this status and one line on stderr that fits the patterns."""
    begin = time.monotonic()
    zerospan = observer.start(t, *args)
    equal(zerospan.wait(10), status, f"exit status of zerospan {' '.join(args)}")
    seconds = time.monotonic() - begin
    check(seconds < at_once, f"zerospan {' '.join(args)} took {seconds:.2f} s to refuse")
    lines = zerospan.err.strip().splitlines()
    equal(len(lines), 1, f"lines on stderr of zerospan {' '.join(args)}: {lines}, number")
    check(lines[0].startswith("zerospan: "), f"message {lines[0]!r}")
    for pattern in patterns:
        check(re.search(pattern, lines[0]), f"message {lines[0]!r} does not say {pattern!r}")
    equal(zerospan.out, "", f"stdout of zerospan {' '.join(args)}")


def unused_pid():
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as f:
        pid = int(f.read()) - 1
    while os.path.exists(f"/proc/{pid}"):
        pid -= 1
    return str(pid)


def test_unknown_pid(t):
    pid = unused_pid()
    refused(t, ["trace", "--pid", pid], 2, pid)


def test_unknown_name(t):
    refused(t, ["trace", "--name", "no-such-name-here"], 2, "no-such-name-here")


def test_unknown_exe(t):
    refused(t, ["trace", "--exe", "/nowhere/*"], 2, "/nowhere/")


def test_nobody_listens(t):
    port = str(lib.free_port())
    refused(t, ["trace", "--port", port], 2, port)


def test_one_of_two_targets_unknown(t):
    shop = Shop(t)
    pid = unused_pid()
    refused(t, ["trace", "--pid", str(shop.pid), "--pid", pid], 2, pid)


def test_pid_of_a_thread(t):
    shop = Shop(t, "pool")
    threads = [tid for tid in os.listdir(f"/proc/{shop.pid}/task") if int(tid) != shop.pid]
    refused(t, ["trace", "--pid", threads[0]], 2, threads[0], str(shop.pid))


def test_no_target(t):
    refused(t, ["trace"], 2, "target")
    refused(t, ["run"], 2, "target")


def test_bad_options(t):
    refused(t, ["trace", "--frobnicate"], 2, "--frobnicate")
    refused(t, ["trace", "--pid"], 2, "--pid")
    refused(t, ["trace", "--pid", "abc"], 2, "abc")
    refused(t, ["trace", "--pid", "-1"], 2, "-1")
    refused(t, ["trace", "--port", "70000"], 2, "70000")
    refused(t, ["trace", "--port", "0"], 2, "0")
    refused(t, ["trace", "--pid", "1", "--format", "xml"], 2, "xml")
    refused(t, ["trace", "--pid", "1", "--duration", "soon"], 2, "soon")
    refused(t, ["trace", "--pid", "1", "--duration", "-3"], 2, "-3")
    refused(t, ["trace", "--pid", "1", "--listen", "127.0.0.1:1"], 2, "--listen")
    refused(t, ["run", "--pid", "1", "--listen", "here"], 2, "here")
    refused(t, ["trace", "--pid", "1", "stray"], 2, "stray")
    refused(t, ["frobnicate"], 2, "frobnicate")
    refused(t, [], 2, "command")
    refused(t, ["trace", "--"], 2, "command")


def test_itself_is_no_target(t):
    """The observer's own name and program mean others of that name, never itself."""
    program = lib.copy_of_zerospan(t, "zs-e2e-itself")
    by_exe = [] if lib.bundled() else [["--exe", program]]  # there the kernel knows the loader
    for selector in (*by_exe, ["--name", "zs-e2e-itself"]):
        process = t.start(program, "trace", *selector)
        equal(process.wait(5), 2, f"exit status of {selector}")
        check("zerospan itself" in process.err, f"{selector} is refused with {process.err!r}")


def test_output_cannot_be_written(t):
    shop = Shop(t)
    refused(t, ["trace", "--pid", str(shop.pid), "--format", "otlp-json", "--output",
                "/nowhere/spans.jsonl"], 2, "/nowhere/spans.jsonl")


def test_listen_address_taken(t):
    shop = Shop(t)
    refused(t, ["run", "--pid", str(shop.pid), "--listen", f"127.0.0.1:{shop.port}"], 1,
            str(shop.port), "--listen", at_once=5.0 * lib.SLOWNESS)


def test_not_root(t):
    """Exit 3 and one sentence, which names the remedy."""
    setpriv = lib.tool("setpriv", "util-linux")
    shop = Shop(t)
    program = lib.copy_of_zerospan(t, "zerospan")  # the build folder may be closed to others
    for command in ("trace", "run"):
        process = t.start(setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", program,
                          command, "--pid", str(shop.pid))
        begin = time.monotonic()
        equal(process.wait(10), 3, f"exit status of {command}")
        check(time.monotonic() - begin < AT_ONCE_S, f"{command} took long to refuse")
        lines = process.err.strip().splitlines()
        equal(len(lines), 1, f"sentences: {lines}, number")
        check(re.search("root|sudo|CAP_", lines[0]), f"no remedy in {lines[0]!r}")


def test_help_and_version(t):
    for args in (["--help"], ["trace", "--help"], ["run", "-h"], ["--version"]):
        zerospan = observer.start(t, *args)
        equal(zerospan.wait(), 0, f"exit status of {args}")
        check(zerospan.out and not zerospan.err, f"{args} does not answer on stdout")


# --- selectors


def named_copy(t, name):
    """The shop under another name."""
    path = t.path(name)
    shutil.copy(lib.built("shop"), path)
    os.chmod(path, 0o755)
    return path


class NamedShop(Shop):
    """A shop that runs from a path of its own."""

    def __init__(self, t, program, tag):
        self.database = t.path(tag + ".db")
        self.process = t.start(program, "--port", "0", "--database", self.database)
        self.port = wait_for(self._port, "the shop to listen")
        self.pid = self.process.pid


def expect_only(zerospan, wanted, others=()):
    """Requests to the wanted shops make spans, those to the others do not."""
    for shop in [*others, *wanted]:
        equal(shop.client().get(f"/to-{shop.port}").status, 404, "answer of the shop")
    for shop in wanted:
        zerospan.wait_spans(1, url__path=f"/to-{shop.port}")
    equal(sorted(s.get("url.path") for s in zerospan.finish() if s.kind == "SERVER"),
          sorted(f"/to-{shop.port}" for shop in wanted), "paths of the spans")


def test_by_pid(t):
    wanted, other = Shop(t, name="a"), Shop(t, name="b")
    expect_only(observer.observe(t, "--pid", wanted.pid), [wanted], [other])


def test_by_port(t):
    wanted, other = Shop(t, name="a"), Shop(t, name="b")
    expect_only(observer.observe(t, "--port", wanted.port), [wanted], [other])


def test_by_name(t):
    program = named_copy(t, "e2e-by-name")
    wanted, other = [NamedShop(t, program, "a"), NamedShop(t, program, "b")], Shop(t, name="c")
    expect_only(observer.observe(t, "--name", "e2e-by-name"), wanted, [other])


def test_by_long_name(t):
    """The kernel cuts names at 15 characters; the whole one means the program, too."""
    program = named_copy(t, "e2e-a-name-of-26-characters")
    wanted = NamedShop(t, program, "a")
    expect_only(observer.observe(t, "--name", "e2e-a-name-of-26-characters"), [wanted])


def test_by_exe(t):
    wanted = NamedShop(t, named_copy(t, "e2e-by-exe"), "a")
    other = NamedShop(t, named_copy(t, "other-by-exe"), "b")
    expect_only(observer.observe(t, "--exe", t.path("e2e-*")), [wanted], [other])


def test_several_targets(t):
    a, b, c = Shop(t, name="a"), Shop(t, name="b"), Shop(t, name="c")
    expect_only(observer.observe(t, "-p", a.pid, "--port", b.port), [a, b], [c])


def expect_observed(zerospan, server):
    wait_for(lambda: f"observing pid {server.pid}," in zerospan.err, lambda: f"pid {server.pid} to be observed: {zerospan.err}")


def test_later_start_by_exe(t):
    """What matches later is observed from its start."""
    program = named_copy(t, "e2e-later")
    first = NamedShop(t, program, "a")
    zerospan = observer.observe(t, "-v", "--exe", t.path("e2e-*"))
    second = NamedShop(t, program, "b")
    expect_observed(zerospan, second)
    other = Shop(t, name="c")
    expect_only(zerospan, [first, second], [other])


def test_later_start_by_name(t):
    program = named_copy(t, "e2e-later-name")
    first = NamedShop(t, program, "a")
    zerospan = observer.observe(t, "-v", "--name", "e2e-later-name")
    second = NamedShop(t, program, "b")
    expect_observed(zerospan, second)
    expect_only(zerospan, [first, second])


def test_restart_on_port(t):
    """--port means whoever listens there, also after a restart."""
    port = lib.free_port()
    first = Shop(t, "thread-per-connection", "--port", str(port), name="a")
    equal(first.port, port, "port")
    zerospan = observer.observe(t, "-v", "--port", port)
    equal(first.client().get("/first").status, 404, "answer")
    zerospan.wait_spans(1, url__path="/first")
    first.process.signal(signal.SIGTERM)
    first.process.wait()
    second = Shop(t, "thread-per-connection", "--port", str(port), name="b")
    expect_observed(zerospan, second)
    equal(second.client().get("/second").status, 404, "answer")
    zerospan.wait_spans(1, url__path="/second")
    equal(len([s for s in zerospan.finish() if s.kind == "SERVER"]), 2, "requests")


def test_target_ends(t):
    """zerospan stays when its target ends, and ends well afterwards."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    equal(shop.client().get("/before").status, 404, "answer")
    shop.process.signal(signal.SIGKILL)
    shop.process.wait()
    zerospan.wait_spans(1)
    equal(zerospan.status, None, "zerospan runs")
    equal(len(zerospan.finish()), 1, "spans")


FORKER = r"""
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=True)
print("ready", flush=True)
for line in sys.stdin:
    if os.fork() == 0:
        while True:
            conn, _ = listener.accept()
            data = b""
            while b"\r\n\r\n" not in data:
                data += conn.recv(4096)
            text = b"pid %d" % os.getpid()
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
            conn.close()
    print("forked", flush=True)
"""


def test_children_before_and_after(t):
    """A child from before zerospan and one forked later are both observed."""
    port = lib.free_port()
    script = t.write("forker.py", FORKER)
    parent = t.start(lib.PYTHON, script, str(port), stdin=subprocess.PIPE)

    def fork(n):
        parent.popen.stdin.write(b"\n")
        parent.popen.stdin.flush()
        wait_for(lambda: parent.out.count("forked") == n, "the child")
        t.cleanup(kill_all, lib.children(parent.pid))

    wait_for(lambda: "ready" in parent.out, "the server")
    fork(1)
    zerospan = observer.observe(t, "--pid", parent.pid)
    old, = lib.children(parent.pid)
    equal(ask(port), old, "pid that answers")
    os.kill(old, signal.SIGKILL)
    fork(2)
    new = ask(port)
    check(new != old, "the new child did not answer")
    zerospan.wait_spans(2)
    equal(len([s for s in zerospan.finish() if s.kind == "SERVER"]), 2, "requests")


def kill_all(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def ask(port):
    return int(Client(port).get("/").body.split()[1])


# --- a command


def test_command_status(t):
    for command, status in ((["true"], 0), (["false"], 1), (["sh", "-c", "exit 42"], 42),
                            (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM)):
        zerospan = observer.start(t, "trace", "--format", "otlp-json", "--", *command)
        equal(zerospan.wait(15), status, f"exit status of {command}")
        check("spans in" in zerospan.err, "no summary")


def test_command_not_there(t):
    for command in ("nonexistent-command", "/nowhere/nonexistent-command"):
        refused(t, ["trace", "--", command], 2, re.escape(command))
    refused(t, ["trace", "--", "/etc/passwd"], 2, "/etc/passwd", "ermission")


def test_command_gets_its_stdio(t):
    """The command's output, arguments and environment are its own."""
    zerospan = observer.start(t, "trace", "--format", "none", "--", "sh", "-c",
                              "echo out:$0:$1:$E2E; echo err >&2", "a b", "--help",
                              env={"E2E": "here"})
    equal(zerospan.wait(15), 0, "exit status")
    equal(zerospan.out, "out:a b:--help:here\n", "stdout of the command")
    check("err\n" in zerospan.err, "stderr of the command is not there")


def test_command_from_its_first_request(t):
    """A server started by zerospan: nothing is missed; its end ends zerospan."""
    database = t.path("shop.db")
    zerospan = observer.start(t, "trace", "--format", "otlp-json", "--output", t.path("spans"), "--",
                              lib.built("shop"), "--port", "0", "--database", database)
    match = wait_for(lambda: re.search(r'"listening".*"port":(\d+).*"pid":(\d+)', zerospan.out),
                     "the shop to listen")
    equal(Client(int(match.group(1))).get("/").status, 200, "answer")
    os.kill(int(match.group(2)), signal.SIGTERM)
    equal(zerospan.wait(15), 0, "exit status")
    with open(t.path("spans"), encoding="utf-8") as f:
        spans = [s for line in f for s in observer.spans_of(json.loads(line))]
    names = [s.name for s in sorted(spans, key=lambda s: s.start)]
    equal(names.count("GET /"), 1, f"GET / among {names}, number")
    check(any(name.startswith("CREATE TABLE") for name in names),
          f"the statements of the start are not there: {names}")


def test_interrupt_ends_the_command(t):
    """Ctrl-C at zerospan ends the command, too; nothing of it stays."""
    zerospan = observer.start(t, "trace", "--format", "none", "--", "sleep", "600")
    zerospan.wait_ready()
    child = wait_for(lambda: lib.children(zerospan.pid), "the command")[0]
    zerospan.stop()
    check(not os.path.exists(f"/proc/{child}"), "the command runs on")


def test_duration(t):
    shop = Shop(t)
    begin = time.monotonic()
    zerospan = observer.observe(t, "--pid", shop.pid, "--duration", "1.5")
    equal(zerospan.wait(10), 0, "exit status")
    seconds = time.monotonic() - begin
    check(1.5 <= seconds <= 20.0, f"--duration 1.5 took {seconds:.2f} s")
