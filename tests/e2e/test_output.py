# SPDX-License-Identifier: Apache-2.0
"""--output with rotation: lines stay whole and no span is lost between the files."""
import json
import os

import lib
import observer
from lib import check, equal
from shop import Shop

MAX_BYTES = 16 * 1024
REQUESTS = 300


def files(path):
    """FILE and what was rotated away, the oldest first."""
    old = [name for name in os.listdir(os.path.dirname(path))
           if name.startswith(os.path.basename(path) + ".")]
    old.sort(key=lambda name: -int(name.rsplit(".", 1)[1]))
    return [os.path.join(os.path.dirname(path), name) for name in old] + [path]


def test_rotation_under_traffic(t):
    """Every line parses, every file is within its size, every request is in exactly one of them."""
    shop = Shop(t)
    path = t.path("out.json")
    zerospan = observer.start(t, "trace", "--format", "none", "--output", path, "--output-max-size",
                              "16K", "--output-keep", "1000", "--pid", shop.pid)
    zerospan.wait_ready()
    client = shop.client()
    for i in range(REQUESTS):
        client.request("GET", f"/rotated/{i}")
    equal(zerospan.stop(), 0, "exit status")
    paths, seen = [], []
    for name in files(path):
        with open(name, encoding="utf-8") as f:
            lines = f.read()
        check(lines.endswith("\n") or not lines, f"{name} ends inside a line")
        size = os.path.getsize(name)
        check(size <= MAX_BYTES or lines.count("\n") == 1, f"{name} has {size} bytes")
        for line in lines.splitlines():
            for span in observer.spans_of(json.loads(line)):
                seen.append(span.span_id)
                if span.get("url.path"):
                    paths.append(span.get("url.path"))
    check(len(files(path)) > 5, f"only {len(files(path))} files")
    equal(len(seen), len(set(seen)), "spans that are in one file only")
    equal(paths, [f"/rotated/{i}" for i in range(REQUESTS)], "requests in the order of the files")
    check("did not arrive" not in zerospan.err, zerospan.err)


def test_keeps_the_newest(t):
    shop = Shop(t)
    path = t.path("out.json")
    zerospan = observer.start(t, "trace", "--format", "none", "--output", path, "--output-max-size",
                              "4K", "--output-keep", "2", "--pid", shop.pid)
    zerospan.wait_ready()
    client = shop.client()
    for i in range(60):
        client.request("GET", f"/rotated/{i}")
    equal(zerospan.stop(), 0, "exit status")
    equal([os.path.basename(name) for name in files(path)], ["out.json.2", "out.json.1", "out.json"],
          "files that stay")
    last = [span.get("url.path") for name in files(path) for line in open(name, encoding="utf-8")
            for span in observer.spans_of(json.loads(line))]
    equal(last[-1], "/rotated/59", "last request")


def test_directory_vanishes(t):
    """What cannot be written is counted and told; writing goes on when the directory is back."""
    shop = Shop(t)
    directory = t.path("gone")
    path = os.path.join(directory, "out.json")
    os.mkdir(directory)
    zerospan = observer.start(t, "trace", "--format", "none", "--output", path, "--pid", shop.pid)
    zerospan.wait_ready()
    client = shop.client()
    client.request("GET", "/before")
    lib.wait_for(lambda: os.path.getsize(path) > 0, "the first line")
    os.rename(directory, directory + ".away")
    client.request("GET", "/meanwhile")
    lib.wait_for(lambda: f"cannot write to '{path}'" in zerospan.err, "the warning")
    os.mkdir(directory)
    client.request("GET", "/after")
    lib.wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "the file again")
    zerospan.stop()
    with open(path, encoding="utf-8") as f:
        spans = [span for line in f for span in observer.spans_of(json.loads(line))]
    equal([span.get("url.path") for span in spans], ["/after"], "requests")
    check("1 spans did not arrive at file" in zerospan.err, zerospan.err)
