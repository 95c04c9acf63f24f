# SPDX-License-Identifier: Apache-2.0
"""What every test stands on: processes that end with the test, waiting for conditions, checks.

A test is a function test_*(t); t is the Test below. Nothing here knows of zerospan's output.
"""
import contextlib
import ctypes
import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("ZEROSPAN_BUILD") or os.path.join(ROOT, "build"))
HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"

POLL_S = 0.01
# How much slower than a usual machine this one is: deadlines grow with it (an emulated one in tests/vm).
SLOWNESS = float(os.environ.get("ZEROSPAN_SLOWNESS") or 1)
MAKE_S = 400
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)
_made = set()


class Failure(AssertionError):
    """The product did something else than the test demands."""


class Skip(Exception):
    """The test cannot run here; the text is the reason."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(actual, expected, what):
    if actual != expected:
        raise Failure(f"{what}: expected {expected!r}, got {actual!r}")


def wait_for(condition, what, deadline=10.0):
    """Until condition() is true; its value. Fails with what was waited for."""
    deadline *= SLOWNESS
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            what = what() if callable(what) else what
            raise Failure(f"waited {deadline:g} s in vain for {what}")
        time.sleep(POLL_S)


def cpu_seconds(pid):
    """CPU time of a process so far, of all its threads."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rpartition(") ")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def wait_stable(value, what, quiet=1.0, deadline=20.0):
    """Until value() has not changed for quiet seconds; that value."""
    state = {"value": value(), "since": time.monotonic()}

    def settled():
        now = value()
        if now != state["value"]:
            state.update(value=now, since=time.monotonic())
        return time.monotonic() - state["since"] >= quiet

    wait_for(settled, f"{what} to come to rest", deadline)
    return state["value"]


def deadline(seconds):
    """Decorator: the test may take this long (default: run.DEADLINE_S)."""
    def mark(function):
        function.deadline = seconds
        return function
    return mark


def tool(name, package):
    """Path of a program; without it the test is skipped."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skip(f"{name} is missing: apt install {package}")
    return path


def python_module(module, package):
    """Without a module of PYTHON the test is skipped."""
    if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode:
        raise Skip(f"no module {module} of {PYTHON}: apt install {package}")


def built(name):
    path = os.path.join(BUILD, name)
    if not os.access(path, os.X_OK):
        raise Failure(f"{path} is not there: run make, or set ZEROSPAN_BUILD")
    return path


def _make(goal):
    run = subprocess.run(["make", "-C", ROOT, goal], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, timeout=MAKE_S, check=False,
                         env={**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "0"})
    if run.returncode:
        raise Failure(f"make {goal} fails: " + run.stdout.decode("utf-8", "replace")[-1500:])


def made(goal, folder, name):
    """Path of a file that a goal of make builds into a folder of build/, which is done when the first of them is asked for; not
    where there are only the tests and what they need (tests/vm)."""
    if goal not in _made and os.path.exists(os.path.join(ROOT, "Makefile")):
        with open(os.path.join(ROOT, "build", "made.lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several tests may ask at once
            _make(goal)
        _made.add(goal)
    return os.path.join(ROOT, "build", folder, name)


def bundled():
    """Whether the build directory holds the bundle's launcher instead of the program."""
    return os.path.exists(os.path.join(BUILD, "lib", "zerospan"))


def copy_of_zerospan(test, name):
    """A copy of the program in the test's folder that anybody can start; its path."""
    path = test.path(name)
    shutil.copy(built("zerospan"), path)
    os.chmod(path, 0o755)
    if bundled():
        shutil.copytree(os.path.join(BUILD, "lib"), test.path("lib"))
    return path


def free_port(host="127.0.0.1"):
    """A port that nobody listens on now, for programs that cannot choose one themselves."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.randrange(12000, 30000)  # none that the kernel gives to somebody meanwhile
        with socket.socket(family) as s, contextlib.suppress(OSError):
            s.bind((host, port))
            return port


def children(pid):
    """Pids of the direct children of a process."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(text) for text in f.read().split()]
    return []


def listens(port):
    """Whether a TCP socket of any family listens on the port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as f:
            for line in f.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    return True
    return False


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """A program of ours, its output in files; stdout may be a descriptor instead."""

    def __init__(self, test, argv, env=None, stdin=subprocess.DEVNULL, stdout=None, cwd=None,
                 session=False):
        """session: in one of its own, for programs that signal their whole process group."""
        self.argv = [str(arg) for arg in argv]
        self.name = f"{len(test.processes):02d}-{os.path.basename(self.argv[0])}"
        self.out_path = os.path.join(test.dir, self.name + ".out")
        self.err_path = os.path.join(test.dir, self.name + ".err")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
        environment.update(env or {})
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                self.argv, stdin=stdin, stdout=out if stdout is None else stdout, stderr=err,
                env=environment,
                cwd=cwd or test.dir, start_new_session=session, preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def status(self):
        """Exit status, negative signal number, or None while it runs."""
        return self.popen.poll()

    def _read(self, path):
        with open(path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    @property
    def out(self):
        return self._read(self.out_path)

    @property
    def err(self):
        return self._read(self.err_path)

    def signal(self, number):
        if self.status is None:
            self.popen.send_signal(number)

    def wait(self, seconds=10.0):
        """Its exit status, or a failure when it does not end."""
        seconds *= SLOWNESS
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {seconds:g} s") from None

    def end(self):
        """At the end of the test, however it went."""
        if self.status is None:
            self.popen.terminate()
            try:
                self.popen.wait(3)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        if self.popen.stdin:
            with contextlib.suppress(OSError):
                self.popen.stdin.close()


class Test:
    """One run of a test: its folder, its processes, its remarks."""

    def __init__(self, name):
        self.name = name
        self.dir = tempfile.mkdtemp(prefix="zerospan-e2e-")
        os.chmod(self.dir, 0o755)
        self.processes = []
        self.notes = []
        self._cleanups = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        path = self.path(name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, 0o644)
        return path

    def start(self, *argv, kind=Process, **how):
        process = kind(self, argv, **how)
        self.processes.append(process)
        return process

    def run(self, *argv, seconds=20.0, **how):
        """Start, wait, return the process."""
        process = self.start(*argv, **how)
        process.wait(seconds)
        return process

    def note(self, text):
        """A figure to be shown with the result."""
        self.notes.append(text)

    def cleanup(self, function, *args):
        self._cleanups.append((function, args))

    def end(self):
        for process in reversed(self.processes):
            process.end()
        for function, args in reversed(self._cleanups):
            with contextlib.suppress(Exception):
                function(*args)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
