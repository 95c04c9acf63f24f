# SPDX-License-Identifier: Apache-2.0
"""The bundle as people get it: unpacked somewhere, started there, or in a root that holds nothing else."""
import glob
import os
import socket
import struct
import tarfile
import threading

import lib
import observer
from lib import Failure, Skip

# Mounts in a namespace of its own, then becomes the program: the process id stays the same.
ENTER = '''
mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"
'''


def tarball(folder="bundle", machine=os.uname().machine):
    """The tarball for this machine, or for another."""
    pattern = os.path.join(lib.BUILD, folder, f"zerospan-*-linux-{machine}.tar.gz")
    found = glob.glob(pattern)
    if len(found) != 1:
        raise Failure(f"one {pattern} is needed, there are {len(found)}: run make bundle")
    return found[0]


def unpack(directory, path=None):
    """Unpack a tarball, this machine's if none is named; the directory it makes there."""
    os.makedirs(directory, exist_ok=True)
    with tarfile.open(path or tarball()) as tar:
        names = {name.split("/")[0] for name in tar.getnames()}
        tar.extractall(directory)
    lib.equal(len(names), 1, "directories at the top of the tarball")
    return os.path.join(directory, names.pop())


def size_of(directory):
    """Bytes of all files below."""
    return sum(os.path.getsize(os.path.join(path, name))
               for path, _, names in os.walk(directory) for name in names)


def foreign(pid, directory):
    """Files mapped into the process that do not lie in the directory, or not any more."""
    inside = set()
    for path, _, names in os.walk(directory):
        for name in names:
            stat = os.stat(os.path.join(path, name))
            inside.add(stat.st_ino)
    result, mapped = [], set()
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(None, 5)
            if len(fields) < 6 or fields[4] == "0" or fields[5].startswith("anon_inode:"):
                continue
            if int(fields[4]) in inside:
                mapped.add(os.path.basename(fields[5]))
            else:
                result.append(fields[5])
    return result, mapped


class Host:
    """A root directory with a bundle in an odd place, and nothing else but /proc, /sys and /dev."""

    ODD = "/opt/a b:c/$ORIGIN 'ü'"

    def __init__(self, test):
        self.test = test
        self.root = test.path("root")
        for name in ("proc", "sys", "dev", "tmp"):
            os.makedirs(os.path.join(self.root, name))
        self.directory = unpack(self.root + self.ODD)
        self.program = self.directory[len(self.root):] + "/zerospan"

    def write(self, path, text):
        """A file of this host."""
        full = self.root + path
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def _command(self, args):
        return ["unshare", "--mount", "sh", "-c", ENTER, self.root, self.program, *args]

    def run(self, *args, **how):
        return self.test.run(*self._command(args), **how)

    def start(self, *args, **how):
        return self.test.start(*self._command(args), kind=observer.Zerospan, **how)


class NameServer:
    """A DNS server on the loopback address 127.77.0.53 that knows one name."""

    ADDRESS = "127.77.0.53"

    def __init__(self, test, name, address="127.0.0.1"):
        self.question = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
        self.answer = socket.inet_aton(address)
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.bind((self.ADDRESS, 53))
        except OSError as error:
            raise Skip(f"no name server of our own on {self.ADDRESS}:53: {error}") from None
        threading.Thread(target=self._serve, daemon=True).start()
        test.cleanup(self.socket.close)

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(512)
            except OSError:
                return
            end = query.index(b"\0", 12) + 5
            question, (kind,) = query[12:end - 4], struct.unpack(">H", query[end - 4:end - 2])
            known = question.lower() == self.question
            self.asked += known
            answers = b""
            if known and kind == 1:  # A; the name is where the question has it
                answers = b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04" + self.answer
            header = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1,
                                             1 if answers else 0, 0, 0)
            self.socket.sendto(header + query[12:end] + answers, client)
