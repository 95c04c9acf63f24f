# SPDX-License-Identifier: Apache-2.0
"""A process with SQLite connections, each in a thread of its own, that executes what it is told; see test_sqlite_locks.py.

One command per line of stdin, as JSON: {"on": name, "sql": text}, with "path" and "timeout" (seconds) for the first of a
connection, or {"join": name}. Statements begin at once; joining one answers {"tid": ..., "seconds": ..., "error": ...}
on a line of stdout. In SQL, pause(seconds) sleeps.
"""
import json
import queue
import sqlite3
import sys
import threading
import time


class Connection(threading.Thread):
    def __init__(self, path, timeout):
        super().__init__(daemon=True)
        self.path, self.timeout = path, timeout
        self.work, self.results = queue.Queue(), queue.Queue()
        self.start()

    def run(self):
        db = sqlite3.connect(self.path, timeout=self.timeout, isolation_level=None)
        db.create_function("pause", 1, lambda seconds: time.sleep(seconds))
        while True:
            sql, error, start = self.work.get(), None, time.monotonic()
            try:
                db.execute(sql).fetchall()
            except sqlite3.Error as failure:
                error = failure.sqlite_errorname
            self.results.put({"tid": threading.get_native_id(), "seconds": time.monotonic() - start,
                              "error": error})


def main():
    connections = {}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if "join" in command:
            print(json.dumps(connections[command["join"]].results.get()), flush=True)
            continue
        name = command["on"]
        if name not in connections:
            connections[name] = Connection(command["path"], command.get("timeout", 0))
        connections[name].work.put(command["sql"])


main()
