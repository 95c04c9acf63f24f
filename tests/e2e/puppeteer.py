# SPDX-License-Identifier: Apache-2.0
"""The other end of puppet.py: makes it do each call, and is its unobserved peer."""
import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

import lib
from lib import Failure, equal

TIMEOUT_S = 20.0
SMALL = 4096  # fits into any socket's buffer: sent before it is read


class Puppet:
    def __init__(self, t):
        read, write = os.pipe()
        self.process = t.start(lib.PYTHON, os.path.join(lib.HERE, "puppet.py"), stdin=subprocess.PIPE,
                               stdout=write)
        os.close(write)
        self.answers = os.fdopen(read)
        t.cleanup(self.answers.close)
        self.pid = self.process.pid
        self.path = t.path(f"puppet-{self.pid}.socket")
        self.addresses = {}
        self.names = 0

    def ask(self, do, **arguments):
        """Have it begin; answer() must follow."""
        line = json.dumps({"do": do, **arguments}) + "\n"
        self.process.popen.stdin.write(line.encode())
        self.process.popen.stdin.flush()

    def answer(self):
        line = self.answers.readline()
        if not line:
            raise Failure(f"the puppet ended with {self.process.popen.wait()}: {self.process.err}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"the puppet: {answer['error']}")
        return answer["result"]

    def do(self, name, **arguments):
        self.ask(name, **arguments)
        return self.answer()

    def listen(self, family="ipv4"):
        """Its listener for a family, made once; whereto to connect."""
        if family not in self.addresses:
            address = self.do("listen", listener=family, family=family,
                              **({"path": self.path} if family == "unix" else {}))
            self.addresses[family] = address
        return self.addresses[family]

    def name(self):
        self.names += 1
        return f"c{self.names}"


class Wire:
    """One connection between the puppet, as server or as client, and us."""

    def __init__(self, puppet, server=True, family="ipv4"):
        self.puppet, self.server, self.family = puppet, server, family
        self.name = puppet.name()
        self.peer = self._accepted() if server else self._connected()
        self.peer.settimeout(TIMEOUT_S)
        self.port = None if family == "unix" else self.peer.getsockname()[1]  # the peer's, to the puppet
        if self.family != "unix":
            self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _accepted(self):
        address = self.puppet.listen(self.family)
        if self.family == "unix":
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(address)
        else:
            peer = socket.create_connection(
                ("127.0.0.1" if self.family == "dual" else address[0], address[1]), TIMEOUT_S)
        self.fd = self.puppet.do("accept", conn=self.name, listener=self.family)
        return peer

    def _connected(self):
        """By a listener of its own, so that the port tells the connection."""
        if self.family == "unix":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{self.puppet.path}-{self.name}")
            listener.listen(1)
        else:
            listener = socket.create_server(("::1" if self.family == "ipv6" else "127.0.0.1", 0),
                                            family=socket.AF_INET6 if self.family == "ipv6" else
                                            socket.AF_INET)
        with listener:
            self.fd = self.puppet.do("connect", conn=self.name, address=listener.getsockname())
            peer, _ = listener.accept()
        return peer

    # --- the puppet's side

    def do(self, what, **arguments):
        return self.puppet.do(what, conn=self.name, **arguments)

    def take(self, data, **how):
        """We send, the puppet reads exactly that."""
        expect = data.hex() if len(data) <= SMALL else len(data)
        if len(data) <= SMALL:
            self.peer.sendall(data)
            got = self.do("read", n=len(data), **how)
        else:
            with self._meanwhile(lambda: self.peer.sendall(data)):
                got = self.do("read", n=len(data), **how)
        if isinstance(got, str) and set(got) == {"0"}:
            return  # hidden even from the puppet
        equal(got, expect, "bytes that the puppet read")

    def give(self, head, fill=0, **how):
        """The puppet writes, we read exactly that."""
        if len(head) + fill <= SMALL:
            self.do("write", data=head.hex(), fill=fill, **how)
            self.receive(len(head) + fill)
        else:
            with self._meanwhile(lambda: self.receive(len(head) + fill)):
                self.do("write", data=head.hex(), fill=fill, **how)

    def expect_end(self, how="eof"):
        """The puppet reads the end of what we send."""
        equal(self.do("eof"), how, "end of the stream")

    # --- our side

    def receive(self, n):
        while n:
            data = self.peer.recv(min(n, 1 << 18))
            if not data:
                raise Failure(f"the puppet closed the connection {n} bytes early")
            n -= len(data)

    def reset(self):
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()

    def close(self):
        """In order: the client's end first to close, then the other."""
        with contextlib.suppress(OSError):
            self.peer.shutdown(socket.SHUT_WR)
        with contextlib.suppress(Failure):
            self.do("eof")
        self.do("close")
        self.peer.close()

    @contextlib.contextmanager
    def _meanwhile(self, work):
        """The body of the with statement while work runs in a thread of ours."""
        failures = []

        def run():
            try:
                work()
            except Exception as error:  # noqa: BLE001 raised below
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        yield
        thread.join(TIMEOUT_S)
        if failures:
            raise failures[0]
