#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Small servers with odd habits, one per MODE: how they read, write, and hand connections around.

usage: odd_server.py MODE [ipv6 | PATH]. Prints the port, then serves until it is killed. Each HTTP
answer's body is the request's path, or what the path asks for: /bytes/N is N bytes.
"""
import array
import mmap
import os
import socket
import sys
import tempfile
import threading
import time

PIECES = 6          # of a streamed body
PAUSE_S = 0.1       # before each


# --- reading: functions of a socket that return some bytes, b"" at the end


def read_plain(conn):
    return conn.recv(65536)


def read_sixteen(conn):
    return conn.recv(16)


def read_readv(conn):
    buffers = [bytearray(7), bytearray(1), bytearray(40), bytearray(4096)]
    n = os.readv(conn.fileno(), buffers)
    return b"".join(bytes(b) for b in buffers)[:n]


def read_recvmsg(conn):
    return conn.recvmsg(4096)[0]


def read_recvmsg_into(conn):
    buffers = [bytearray(3), bytearray(30), bytearray(4096)]
    n = conn.recvmsg_into(buffers)[0]
    return b"".join(bytes(b) for b in buffers)[:n]


def read_peek(conn):
    conn.recv(4, socket.MSG_PEEK)
    conn.recv(65536, socket.MSG_PEEK)
    return conn.recv(65536)


def read_os(conn):
    return os.read(conn.fileno(), 65536)


# --- writing: functions of a socket, the head and the body


def write_plain(conn, head, body):
    conn.sendall(head + body)


def write_two(conn, head, body):
    conn.sendall(head)
    conn.sendall(body)


def write_bytes(conn, head, body):
    for byte in head + body:
        conn.sendall(bytes((byte,)))


def write_all_of(send, data):
    """send() may take less than it is given."""
    view = memoryview(data)
    while view:
        view = view[send(view):]


def write_writev(conn, head, body):
    parts = [head[:5], head[5:9], head[9:], body]
    n = os.writev(conn.fileno(), parts)
    write_all_of(lambda v: os.write(conn.fileno(), v), (head + body)[n:])


def write_many_pieces(conn, head, body):
    """More pieces than are gathered."""
    data = head + body
    parts = [data[at:at + 3] for at in range(0, len(data), 3)]
    for at in range(0, len(parts), 100):
        os.writev(conn.fileno(), parts[at:at + 100])


def write_sendmsg(conn, head, body):
    n = conn.sendmsg([head, body])
    write_all_of(conn.send, (head + body)[n:])


def write_sendfile(conn, head, body):
    conn.sendall(head)
    with tempfile.TemporaryFile() as f:
        f.write(body)
        f.flush()
        at = 0
        while at < len(body):
            at += os.sendfile(conn.fileno(), f.fileno(), at, len(body) - at)


def write_splice(conn, head, body):
    conn.sendall(head)
    read, write = os.pipe()
    for at in range(0, len(body), 32768):
        left = os.write(write, body[at:at + 32768])
        while left:
            left -= os.splice(read, conn.fileno(), left)
    os.close(read)
    os.close(write)


def write_os(conn, head, body):
    write_all_of(lambda v: os.write(conn.fileno(), v), head + body)


def write_from_mapping(conn, head, body):
    """From memory that nobody has touched yet: a probe cannot read it before the kernel has."""
    with tempfile.TemporaryFile() as f:
        f.write(head + body)
        f.flush()
        with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as area:
            conn.sendall(area)


def write_streamed(conn, head, body):
    """Chunked, over PIECES * PAUSE_S."""
    head = head.split(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    conn.sendall(head)
    for _ in range(PIECES):
        time.sleep(PAUSE_S)
        conn.sendall(b"%x\r\n%s\r\n" % (len(body), body))
    conn.sendall(b"0\r\n\r\n")


def write_chunk_pieces(conn, head, body):
    """One chunk and its end, as proxies write them: head, size, data and end are pieces of one call."""
    head = head.split(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    parts = [head, b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n"]
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    assert os.writev(conn.fileno(), parts) == sum(map(len, parts))


def write_until_close(conn, head, body):
    head = head.split(b"Content-Length")[0] + b"Connection: close\r\n\r\n"
    conn.sendall(head)
    for _ in range(PIECES):
        time.sleep(PAUSE_S)
        conn.sendall(body)
    conn.shutdown(socket.SHUT_WR)


def write_continue(conn, head, body):
    conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    conn.sendall(head + body)


def write_cut(conn, head, body):
    """Half of what Content-Length says."""
    conn.sendall(head + body[:len(body) // 2])
    conn.shutdown(socket.SHUT_RDWR)


READ = {"read16": read_sixteen, "readv": read_readv, "recvmsg": read_recvmsg, "peek": read_peek,
        "recvmsg_into": read_recvmsg_into, "read": read_os}
WRITE = {"two": write_two, "bytes": write_bytes, "writev": write_writev, "pieces": write_many_pieces,
         "sendmsg": write_sendmsg, "sendfile": write_sendfile, "splice": write_splice,
         "write": write_os, "mapping": write_from_mapping, "streamed": write_streamed,
         "chunk_pieces": write_chunk_pieces,
         "until_close": write_until_close, "continue": write_continue, "cut": write_cut}


# --- HTTP, just enough


def body_of(path):
    if path.startswith("/bytes/"):
        return b"x" * int(path.split("/")[2])
    return path.encode()


def head_length(data, name):
    for line in data.split(b"\r\n"):
        if line.lower().startswith(name):
            return int(line.split(b":")[1])
    return 0


def requests(conn, read):
    """Paths of the requests on a connection, bodies skipped."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = read(conn)
            if not more:
                return
            data += more
        head, data = data.split(b"\r\n\r\n", 1)
        length = head_length(head, b"content-length")
        while len(data) < length:
            data += read(conn)
        data = data[length:]
        yield head.split(b" ")[1].decode()


def answer_head(body, status=b"200 OK"):
    return b"HTTP/1.1 %s\r\nServer: odd\r\nContent-Length: %d\r\n\r\n" % (status, len(body))


def serve_http(conn, read=read_plain, write=write_plain):
    for path in requests(conn, read):
        body = body_of(path)
        write(conn, answer_head(body), body)
    conn.close()


def serve_batch(conn):
    """Collect three requests, answer them by one write."""
    out = b""
    for n, path in enumerate(requests(conn, read_plain), 1):
        body = body_of(path)
        out += answer_head(body) + body
        if n % 3 == 0:
            conn.sendall(out)
            out = b""
    conn.close()


def serve_late(conn):
    """Reads nothing for a while after each answer, and does not mind a client that is gone."""
    def read(conn):
        try:
            return conn.recv(65536)
        except ConnectionError:
            return b""

    try:
        for path in requests(conn, read):
            write_plain(conn, answer_head(path.encode()), path.encode())
            time.sleep(0.3)
    except ConnectionError:
        pass
    conn.close()
    print("\nclosed", flush=True)


def serve_upgrade(conn):
    """101, then frames that are no HTTP, then the end."""
    next(requests(conn, read_plain))
    conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\nConnection: Upgrade\r\n\r\n")
    while True:
        data = conn.recv(4096)
        if not data:
            break
        conn.sendall(data)
    conn.close()


def serve_echo(conn):
    """No protocol at all: what comes goes back."""
    while True:
        data = conn.recv(4096)
        if not data:
            break
        conn.sendall(data)
    conn.close()


def serve_lines(conn):
    """Mail-like: a greeting, then 250 for each line."""
    conn.sendall(b"220 mail.example ready\r\n")
    while True:
        data = conn.recv(4096)
        if not data:
            break
        conn.sendall(b"250 hello\r\n" * data.count(b"\n"))
    conn.close()


# --- who serves a connection


def in_thread(conn, serve):
    threading.Thread(target=serve, args=(conn,), daemon=True).start()


def in_child(conn, serve):
    """The parent accepts, a new child reads and answers."""
    if os.fork() == 0:
        serve(conn)
        os._exit(0)
    conn.close()


def on_duplicate(conn, serve):
    """Read from one descriptor, write to a duplicate, the first closed in between."""
    def work(first):
        for path in requests(first, read_plain):
            other = socket.socket(fileno=os.dup(first.fileno()))
            body = body_of(path)
            write_plain(other, answer_head(body), body)
            number = first.fileno()
            os.dup2(other.fileno(), number)
            other.close()
        first.close()

    in_thread(conn, work)


def to_worker(channel):
    """Accepted here, served by another process that gets the descriptor in a message."""
    def hand_over(conn, _serve):
        rights = array.array("i", [conn.fileno()])
        channel.sendmsg([b"c"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        conn.close()
    return hand_over


def worker(serve):
    """A process that serves what it is passed; the channel to it."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while True:
            data, anc, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
            if not data:
                os._exit(0)
            serve(socket.socket(fileno=array.array("i", anc[0][2])[0]))
    theirs.close()
    return ours


def listen(where):
    if where == "ipv6":
        return socket.create_server(("::1", 0), family=socket.AF_INET6)
    if where:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where)
        listener.listen(16)
        return listener
    return socket.create_server(("127.0.0.1", 0))


def main():
    mode = sys.argv[1]
    listener = listen(sys.argv[2] if len(sys.argv) > 2 else "")
    serve = {"batch": serve_batch, "late": serve_late, "upgrade": serve_upgrade, "echo": serve_echo,
             "lines": serve_lines}.get(mode)
    if not serve:
        def serve(conn):
            serve_http(conn, READ.get(mode, read_plain), WRITE.get(mode, write_plain))
    hand = {"fork": in_child, "dup": on_duplicate}.get(mode, in_thread)
    if mode == "pass":
        hand = to_worker(worker(serve))
    name = listener.getsockname()
    print(name[1] if isinstance(name, tuple) else name, flush=True)
    while True:
        conn, _ = listener.accept()
        hand(conn, serve)


if __name__ == "__main__":
    main()
