#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An observed program without a will of its own: it does on its sockets what puppeteer.py says, call by call.

Commands are JSON lines on stdin, each answered by one on stdout (the pipes are no sockets, so that nothing of this is
observed). A command names who does it with "by": the main thread, another thread, or a forked child.
"""
import array
import ctypes
import fcntl
import json
import os
import queue
import signal
import socket
import struct
import sys
import threading

from puppet_io import READ, WRITE

conns = {}  # name: descriptor
listeners = {}
workers = {}  # name: function of a command that returns its result
children = {}  # name: pid


def as_socket(fd, use):
    """use(a socket object for the descriptor), which stays open."""
    sock = socket.socket(fileno=fd)
    try:
        return use(sock)
    finally:
        sock.detach()


def no_delay(sock):
    """Each write is a segment of its own."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


# --- what a command can be: functions of its arguments; the result must be fit for JSON


def do_listen(listener, family, path=None):
    """Listen on a free port, or a path; the address."""
    if family == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        sock.listen(64)
    elif family == "dual":
        sock = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    elif family == "ipv6":
        sock = socket.create_server(("::1", 0), family=socket.AF_INET6)
    else:
        sock = socket.create_server(("127.0.0.1", 0))
    listeners[listener] = sock
    return sock.getsockname()


def do_accept(conn, listener="l"):
    sock = listeners[listener].accept()[0]
    no_delay(sock)
    conns[conn] = sock.detach()
    return conns[conn]


def do_connect(conn, address):
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else
                         socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.connect(address if isinstance(address, str) else tuple(address[:2]))
    no_delay(sock)
    conns[conn] = sock.detach()
    return conns[conn]


def do_pair(conn, other):
    """A socketpair, both ends ours."""
    ours, theirs = socket.socketpair()
    conns[conn], conns[other] = ours.detach(), theirs.detach()


def do_option(conn, level, option, value):
    as_socket(conns[conn], lambda s: s.setsockopt(level, option, value))


def do_read(conn, n, how="read", piece=1 << 20):
    """n bytes by calls that ask for no more than piece; as hex when they are few."""
    got = bytearray()
    while len(got) < n:
        data = READ[how](conns[conn], min(piece, n - len(got)))
        if not data:
            return "early"
        got += data
    return bytes(got).hex() if n <= 4096 else len(got)


def do_write(conn, data="", fill=0, how="write", piece=1 << 30):
    """Bytes given as hex, or so many of one kind behind them, by calls that give no more than piece."""
    data = bytes.fromhex(data) + b"x" * fill
    for at in range(0, len(data), piece):
        WRITE[how](conns[conn], data[at:at + piece])
    return len(data)


def do_eof(conn):
    """How the stream ends: eof, reset, or data when it does not."""
    try:
        return "data" if os.read(conns[conn], 65536) else "eof"
    except ConnectionResetError:
        return "reset"


def do_shut(conn, how=socket.SHUT_WR):
    as_socket(conns[conn], lambda s: s.shutdown(how))


def do_close(conn, linger=None):
    """With linger 0 the other side sees a reset."""
    if linger is not None:
        do_option(conn, socket.SOL_SOCKET, socket.SO_LINGER, struct_linger(linger))
    os.close(conns.pop(conn))


def struct_linger(seconds):
    return struct.pack("ii", 1, seconds)


def do_dup(conn, to, how="dup"):
    """Another descriptor of the same socket."""
    old = conns[conn]
    if how == "dup":
        conns[to] = os.dup(old)
    elif how == "fcntl":
        conns[to] = fcntl.fcntl(old, fcntl.F_DUPFD_CLOEXEC, 200)
    else:  # dup2, dup3: over the descriptor that to has now
        os.dup2(old, conns[to], inheritable=how == "dup2")
    return conns[to]


def do_thread(worker):
    """A thread that does commands from now on, with later=true while others go on: collect gives the result then."""
    orders, done = queue.Queue(), queue.Queue()

    def work():
        while True:
            done.put(attempt(orders.get()))

    def ask(command):
        later = command.pop("later", False)  # before the worker has it
        if command["do"] != "collect":
            orders.put(command)
        return {"result": None} if later else done.get()

    threading.Thread(target=work, daemon=True).start()
    workers[worker] = ask
    return 0


def fork_as(pid):
    """fork(), by clone3(), so that the child has that pid."""
    libc = ctypes.CDLL(None, use_errno=True)
    pids = (ctypes.c_int * 1)(pid)
    args = (ctypes.c_uint64 * 10)()  # struct clone_args up to set_tid_size
    args[4] = signal.SIGCHLD
    args[8], args[9] = ctypes.addressof(pids), 1
    result = libc.syscall(435, args, ctypes.sizeof(args))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"clone3: pid {pid}")
    return result


def do_fork(worker, pid=None):
    """A child with copies of all descriptors that does commands from now on; its pid, which may be chosen."""
    commands, results, (ours, theirs) = os.pipe(), os.pipe(), socket.socketpair()
    pid = fork_as(pid) if pid else os.fork()
    if pid == 0:
        workers.clear()
        listeners["rights"] = theirs
        ours.close()
        os.close(commands[1])
        with os.fdopen(commands[0]) as source, os.fdopen(results[1], "w") as sink:
            serve(source, sink)
        os._exit(0)
    os.close(commands[0])
    os.close(results[1])
    theirs.close()
    source, sink = os.fdopen(results[0]), os.fdopen(commands[1], "w")

    def ask(command):
        sink.write(json.dumps(command) + "\n")
        sink.flush()
        return json.loads(source.readline())

    workers[worker] = ask
    children[worker] = (pid, ours)
    return pid


def do_pass(conn, to):
    """Send the descriptor to a child, which must take it."""
    rights = array.array("i", [conns[conn]])
    children[to][1].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def do_take(conn):
    _, anc, _, _ = listeners["rights"].recvmsg(1, socket.CMSG_SPACE(4))
    conns[conn] = array.array("i", anc[0][2])[0]
    return conns[conn]


def do_wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(children[child][0], 0)[1])


def do_exit(status=0):
    os._exit(status)


def attempt(command):
    arguments = {key: value for key, value in command.items() if key not in ("do", "by")}
    try:
        return {"result": globals()["do_" + command["do"]](**arguments)}
    except Exception as error:  # noqa: BLE001 told to the puppeteer
        return {"error": f"{type(error).__name__}: {error}"}


def serve(source, sink):
    for line in source:
        command = json.loads(line)
        answer = workers.get(command.get("by"), attempt)(command)
        sink.write(json.dumps(answer) + "\n")
        sink.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    serve(sys.stdin, sys.stdout)
