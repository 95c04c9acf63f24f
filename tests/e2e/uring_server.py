#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A server that receives and sends every second request of a connection by io_uring, the others by recv and send.

Prints its port; the n-th answer of a connection has status 200 + n. Status 77 where the kernel refuses io_uring. The ring
has one entry and is used for one operation at a time (include/uapi/linux/io_uring.h).
"""
import ctypes
import errno
import mmap
import os
import socket
import struct
import sys

SETUP, ENTER = 425, 426  # system calls, the same on all architectures
OP_SEND, OP_RECV = 26, 27
OFFSET_SQ, OFFSET_CQ, OFFSET_SQES = 0, 0x8000000, 0x10000000
GETEVENTS = 1
PAGE = mmap.PAGESIZE

_libc = ctypes.CDLL(None, use_errno=True)


class Ring:
    def __init__(self):
        params = ctypes.create_string_buffer(120)
        self.fd = _libc.syscall(SETUP, 1, params)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup")
        sq, cq = struct.unpack_from("<7I", params, 40), struct.unpack_from("<6I", params, 80)
        self.sq_tail, self.sq_mask, self.sq_array = sq[1], sq[2], sq[6]
        self.cq_head, self.cq_cqes = cq[0], cq[5]
        self.sq = mmap.mmap(self.fd, PAGE, offset=OFFSET_SQ)
        self.cq = mmap.mmap(self.fd, PAGE, offset=OFFSET_CQ)
        self.sqes = mmap.mmap(self.fd, PAGE, offset=OFFSET_SQES)

    def run(self, op, fd, buffer, n):
        """One operation; its result."""
        tail, = struct.unpack_from("<I", self.sq, self.sq_tail)
        sqe = struct.pack("<BBHiQQI", op, 0, 0, fd, 0, ctypes.addressof(buffer), n)
        self.sqes[:64] = sqe + bytes(64 - len(sqe))
        struct.pack_into("<I", self.sq, self.sq_array, 0)
        struct.pack_into("<I", self.sq, self.sq_tail, tail + 1)
        if _libc.syscall(ENTER, self.fd, 1, 1, GETEVENTS, None, 0) != 1:
            raise OSError(ctypes.get_errno(), "io_uring_enter")
        head, = struct.unpack_from("<I", self.cq, self.cq_head)
        result, = struct.unpack_from("<i", self.cq, self.cq_cqes + 16 * (head % 2) + 8)
        struct.pack_into("<I", self.cq, self.cq_head, head + 1)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result

    def recv(self, fd):
        buffer = ctypes.create_string_buffer(4096)
        return buffer.raw[:self.run(OP_RECV, fd, buffer, 4096)]

    def send(self, fd, data):
        buffer = ctypes.create_string_buffer(data, len(data))
        return self.run(OP_SEND, fd, buffer, len(data))


def main():
    try:
        ring = Ring()
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            sys.exit(77)
        raise
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        conn, _ = listener.accept()
        n = 0
        while True:
            n += 1
            by_ring = n % 2 == 0
            data = ring.recv(conn.fileno()) if by_ring else conn.recv(4096)
            if not data:
                break
            answer = b"HTTP/1.1 %d A\r\nContent-Length: 2\r\n\r\nok" % (200 + n)
            if by_ring:
                ring.send(conn.fileno(), answer)
            else:
                conn.sendall(answer)
        conn.close()


if __name__ == "__main__":
    main()
