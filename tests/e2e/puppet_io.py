# SPDX-License-Identifier: Apache-2.0
"""Every call that moves bytes through a stream socket, as functions of a descriptor.

READ[how](fd, n) returns at most n bytes, b"" at the end of the stream; where a call hides them from the program they
are as many zeros. WRITE[how](fd, data) writes all of it.
"""
import ctypes
import fcntl
import mmap
import os
import re
import select
import socket
import tempfile

MSG_MORE = getattr(socket, "MSG_MORE", 0x8000)
MSG_WAITFORONE = 0x10000
SMALL_BUFFER = 4096

_libc = ctypes.CDLL(None, use_errno=True)


class IoVec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class MsgHdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(IoVec)),
                ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int)]


class MMsgHdr(ctypes.Structure):
    _fields_ = [("hdr", MsgHdr), ("len", ctypes.c_uint)]


def call(name, *args):
    n = getattr(_libc, name)(*args)
    if n < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return n


def batch(buffers):
    """mmsghdrs, one buffer each."""
    iovs = (IoVec * len(buffers))(*[IoVec(ctypes.addressof(b), len(b)) for b in buffers])
    messages = (MMsgHdr * len(buffers))()
    for n, message in enumerate(messages):
        message.hdr.iov = ctypes.pointer(iovs[n])
        message.hdr.iovlen = 1
    return messages, iovs


def with_socket(fd, use):
    sock = socket.socket(fileno=fd)
    try:
        return use(sock)
    finally:
        sock.detach()


def sizes_of(n, parts):
    """n in parts of unequal sizes, empty ones among them."""
    sizes = []
    for part in parts:
        sizes.append(min(part, n))
        n -= sizes[-1]
    return sizes + [n]


def cut(data, parts):
    view, result = memoryview(data), []
    for size in sizes_of(len(data), parts):
        result.append(view[:size])
        view = view[size:]
    return result


SCATTERED = [0, 0, 7, 0, 1, 40, 0, 300]
MANY = [200] + [11] * 70  # a head, and more pieces than are looked at
HEAD_IN_PIECES = [2] * 40
EMPTY_FIRST = [0] * 9
PAIR = [50]  # and the rest
PAIR_BEHIND_EMPTY = [0, 50]


# --- reading


def read_into(fd, n, parts, function):
    buffers = [bytearray(size) for size in sizes_of(n, parts)]
    return b"".join(buffers)[:function(fd, buffers)]


def recvmsg_into(fd, buffers):
    return with_socket(fd, lambda s: s.recvmsg_into(buffers)[0])


def batch_sizes(n, first, count):
    """n in a first message and count others at most."""
    first = min(first, n)
    size = max(1, -(-(n - first) // count))
    rest = n - first
    return [first] + [min(size, rest - at) for at in range(0, rest, size)]


def recvmmsg(fd, n, first, count):
    buffers = [(ctypes.c_char * size)() for size in batch_sizes(n, first, count)]
    messages, _iovs = batch(buffers)
    got = call("recvmmsg", fd, messages, len(buffers), MSG_WAITFORONE, None)
    return b"".join(buffers[i].raw[:messages[i].len] for i in range(got))


def read_peeking(fd, n):
    def use(sock):
        sock.recv(4, socket.MSG_PEEK)
        sock.recvmsg(n, 0, socket.MSG_PEEK)
        return sock.recv(n)
    return with_socket(fd, use)


def read_nonblocking(fd, n):
    """EAGAIN as often as not."""
    os.set_blocking(fd, False)
    try:
        while True:
            try:
                return os.read(fd, n)
            except BlockingIOError:
                select.select([fd], [], [], 5)
    finally:
        os.set_blocking(fd, True)


def ask_for_no_piece(fd):
    """There are pieces where the call says, but it says that it has none."""
    messages, iovs = batch([ctypes.create_string_buffer(16)])
    call("readv", fd, iovs, 0)
    call("recvmmsg", fd, messages, 0, 0, None)
    messages[0].hdr.iovlen = 0
    call("recvmsg", fd, messages, 0)


def read_after_nothing(fd, n):
    """What asks for no byte gets none, which is not the end of the stream."""
    empty = bytearray(0)
    os.read(fd, 0)
    os.readv(fd, [empty, empty])
    with_socket(fd, lambda s: (s.recv(0), s.recvmsg_into([empty])))
    with_socket(fd, lambda s: s.recvmsg(0, 64))
    recvmmsg(fd, 0, 0, 1)
    ask_for_no_piece(fd)
    return os.read(fd, n)


def read_truncated(fd, n):
    """TCP throws the bytes away; no buffer holds them."""
    return bytes(call("recv", fd, None, ctypes.c_size_t(n), socket.MSG_TRUNC))


def read_splice(fd, n):
    source, sink = os.pipe()
    try:
        moved = os.splice(fd, sink, min(n, 65536))
        left = moved
        while left:
            left -= len(os.read(source, left))
        return bytes(moved)
    finally:
        os.close(source)
        os.close(sink)


READ = {
    "read": os.read,
    "readv": lambda fd, n: read_into(fd, n, SCATTERED, os.readv),
    "readv_many": lambda fd, n: read_into(fd, n, MANY, os.readv),
    "readv_pair": lambda fd, n: read_into(fd, n, PAIR, os.readv),
    "readv_pair_behind_empty": lambda fd, n: read_into(fd, n, PAIR_BEHIND_EMPTY, os.readv),
    "readv_empty_first": lambda fd, n: read_into(fd, n, EMPTY_FIRST, os.readv),
    "recv": lambda fd, n: with_socket(fd, lambda s: s.recv(n)),
    "recvfrom": lambda fd, n: with_socket(fd, lambda s: s.recvfrom(n)[0]),
    "recvmsg": lambda fd, n: with_socket(fd, lambda s: s.recvmsg(n)[0]),
    "recvmsg_scattered": lambda fd, n: read_into(fd, n, SCATTERED, recvmsg_into),
    "recvmsg_pair": lambda fd, n: read_into(fd, n, PAIR, recvmsg_into),
    "recvmmsg": lambda fd, n: recvmmsg(fd, n, 30, 3),
    "recvmmsg_many": lambda fd, n: recvmmsg(fd, n, 100, 40),
    "recvmmsg_one": lambda fd, n: recvmmsg(fd, n, n, 1),
    "peek": read_peeking,
    "waitall": lambda fd, n: with_socket(fd, lambda s: s.recv(n, socket.MSG_WAITALL)),
    "nonblocking": read_nonblocking,
    "after_nothing": read_after_nothing,
    "truncated": read_truncated,
    "splice": read_splice,
}
# Calls that show no byte to the program: its heads come by another one.
HIDDEN_READ = {"truncated", "splice"}


# --- writing


def all_of(data, send):
    """send() may take less than it is given."""
    view = memoryview(data)
    while view:
        view = view[send(view):]


def write_pieces(fd, data, parts, function):
    n = function(fd, cut(data, parts))
    all_of(memoryview(data)[n:], lambda v: os.write(fd, v))


def write_lines(fd, data):
    """Each line, each end of a line and what is between chunks' heads are pieces of their own."""
    n = os.writev(fd, [piece for piece in re.split(rb"(\r\n)", data) if piece])
    all_of(memoryview(data)[n:], lambda v: os.write(fd, v))


def sendmsg(fd, pieces):
    return with_socket(fd, lambda s: s.sendmsg(pieces))


def sendmmsg(fd, data, first, count):
    buffers, rest = [], data
    for size in batch_sizes(len(data), first, count):
        buffers.append((ctypes.c_char * size).from_buffer_copy(rest[:size]))
        rest = rest[size:]
    messages, _iovs = batch(buffers)
    sent = call("sendmmsg", fd, messages, len(buffers), 0)
    moved = sum(messages[i].len for i in range(sent))
    all_of(data[moved:], lambda v: os.write(fd, v))


def write_short(fd, data):
    """A socket that takes little at a time: most calls return less than they were given."""
    with_socket(fd, lambda s: s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER))
    os.set_blocking(fd, False)

    def send(view):
        try:
            return os.write(fd, view)
        except BlockingIOError:
            select.select([], [fd], [], 5)
            return 0

    all_of(data, send)
    os.set_blocking(fd, True)


def write_sendfile(fd, data):
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        at = 0
        while at < len(data):
            at += os.sendfile(fd, f.fileno(), at, len(data) - at)


def write_splice(fd, data):
    source, sink = os.pipe()
    for at in range(0, len(data), 32768):
        left = os.write(sink, data[at:at + 32768])
        while left:
            left -= os.splice(source, fd, left)
    os.close(source)
    os.close(sink)


def write_mapped(fd, data):
    """From memory that nobody has touched yet: a probe cannot read it before the kernel has."""
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        with mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as area:
            all_of(area, lambda v: os.write(fd, v))


def write_zerocopy(fd, data):
    """Its completions are read from the error queue, which is no stream."""
    def use(sock):
        sock.setsockopt(socket.SOL_SOCKET, 60, 1)  # SO_ZEROCOPY
        all_of(data, lambda v: sock.send(v, 0x4000000))  # MSG_ZEROCOPY
        with_error_queue(sock)
    with_socket(fd, use)


def with_error_queue(sock):
    poll = select.poll()
    poll.register(sock, 0)
    if poll.poll(1000):
        sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)


WRITE = {
    "write": lambda fd, data: all_of(data, lambda v: os.write(fd, v)),
    "writev": lambda fd, data: write_pieces(fd, data, SCATTERED, os.writev),
    "writev_many": lambda fd, data: write_pieces(fd, data, MANY, os.writev),
    "writev_pair": lambda fd, data: write_pieces(fd, data, PAIR, os.writev),
    "writev_pair_behind_empty": lambda fd, data: write_pieces(fd, data, PAIR_BEHIND_EMPTY, os.writev),
    "writev_head_in_pieces": lambda fd, data: write_pieces(fd, data, HEAD_IN_PIECES, os.writev),
    "writev_lines": write_lines,
    "writev_empty_first": lambda fd, data: write_pieces(fd, data, EMPTY_FIRST, os.writev),
    "send": lambda fd, data: with_socket(fd, lambda s: s.sendall(data)),
    "sendto": lambda fd, data: all_of(data, lambda v: call(
        "sendto", fd, ctypes.c_char_p(bytes(v)), ctypes.c_size_t(len(v)), 0, None, 0)),
    "more": lambda fd, data: with_socket(fd, lambda s: (s.sendall(data[:9], MSG_MORE), s.sendall(data[9:]))),
    "sendmsg": lambda fd, data: write_pieces(fd, data, SCATTERED, sendmsg),
    "sendmsg_pair": lambda fd, data: write_pieces(fd, data, PAIR, sendmsg),
    "sendmsg_many": lambda fd, data: write_pieces(fd, data, MANY, sendmsg),
    "sendmmsg": lambda fd, data: sendmmsg(fd, data, 30, 3),
    "sendmmsg_many": lambda fd, data: sendmmsg(fd, data, 100, 40),
    "sendmmsg_one": lambda fd, data: sendmmsg(fd, data, len(data), 1),
    "short": write_short,
    "mapped": write_mapped,
    "zerocopy": write_zerocopy,
    "sendfile": write_sendfile,
    "splice": write_splice,
}
HIDDEN_WRITE = {"sendfile", "splice"}
# Not for Unix sockets.
TCP_ONLY = {"truncated", "zerocopy"}
