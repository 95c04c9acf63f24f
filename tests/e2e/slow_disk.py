#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file system on which writing is fast and syncing is not: what is below another directory, with so many ms for each sync.

    slow_disk.py DIRECTORY MOUNT_POINT MS

Runs until the mount point is unmounted.
"""
import os
import sys
import time

import fusepy


class SlowDisk(fusepy.Operations):
    def __init__(self, root, sync_s):
        self.root, self.sync_s = root, sync_s

    def _below(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def getattr(self, path, fh=None):
        found = os.lstat(self._below(path))
        return {key: getattr(found, key) for key in ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid",
                                                     "st_atime", "st_mtime", "st_ctime", "st_ino")}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self._below(path))]

    def create(self, path, mode, fi=None):
        return os.open(self._below(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path, flags):
        return os.open(self._below(path), os.O_RDWR)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self._below(path), length)

    def fsync(self, path, datasync, fh):
        time.sleep(self.sync_s)

    def release(self, path, fh):
        os.close(fh)

    def unlink(self, path):
        os.unlink(self._below(path))

    def rename(self, old, new):
        os.rename(self._below(old), self._below(new))


if __name__ == "__main__":
    fusepy.FUSE(SlowDisk(sys.argv[1], float(sys.argv[3]) / 1000), sys.argv[2], foreground=True)
