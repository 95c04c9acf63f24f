#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the counters that deploy/shop.yaml makes agree with the shop's database?

    verify_orders.py METRICS DATABASE AFTER    the text of /metrics; orders with a larger id than AFTER count
    verify_orders.py --last DATABASE           prints the largest id

Prints both sides by item; status 0 when they are the same, revenue to the last digit, else 1.
"""
import collections
import fractions
import re
import sqlite3
import sys

SAMPLE = re.compile(r'^(order_\w+_total)\{(.*)\} (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
ROW = "{:<18} {:>8} {:>8}  {:>14} {:>14}  {:>8} {:>8}"


def query(path, *args):
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return database.execute(*args).fetchall()
    finally:
        database.close()


def counted(path):
    """Orders, revenue and failures by item, as /metrics has them."""
    sums = collections.defaultdict(lambda: collections.Counter())
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = SAMPLE.match(line)
            if match:
                sums[match[1]][dict(LABEL.findall(match[2])).get("item", "")] += float(match[3])
    return [dict(sums[name]) for name in ("order_checkouts_total", "order_revenue_total",
                                          "order_checkout_errors_total")]


def stored(path, after=0):
    """The same from the database; revenue is the exact sum, rounded once."""
    orders, failed = collections.Counter(), collections.Counter()
    sold = collections.defaultdict(fractions.Fraction)
    rows = query(path, "SELECT item, quantity, price, status FROM orders WHERE id > ?", (after,))
    for item, quantity, price, status in rows:
        orders[item] += 1
        if status == "COMPLETED":
            sold[item] += fractions.Fraction(price) * quantity
        else:
            failed[item] += 1
    return [dict(orders), {item: float(total) for item, total in sold.items()}, dict(failed)]


def main():
    if sys.argv[1] == "--last":
        print(query(sys.argv[2], "SELECT coalesce(max(id), 0) FROM orders")[0][0])
        return 0
    ours, theirs = counted(sys.argv[1]), stored(sys.argv[2], int(sys.argv[3]))
    print(ROW.format("item", "orders", "database", "revenue", "database", "failed", "database"))
    for item in sorted({*ours[0], *theirs[0]}):
        cells = [f"{side[i].get(item, 0):.{2 if i == 1 else 0}f}" for i in range(3)
                 for side in (ours, theirs)]
        print(ROW.format(item, *cells))
    return 0 if ours == theirs and ours[0] else 1


if __name__ == "__main__":
    sys.exit(main())
