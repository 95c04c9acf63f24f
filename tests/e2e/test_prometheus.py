# SPDX-License-Identifier: Apache-2.0
"""/metrics of `zerospan run`, read by Prometheus' own promtool and by a strict reader of OpenMetrics."""
import subprocess
import urllib.request

import lib
import observer
from lib import check, equal, wait_for
from shop import Shop, order

DURATION = "http_server_request_duration_seconds"
# promtool's lint does not like the endings of these, which the translation of OpenTelemetry's names gives.
NAMED_BY_THE_STANDARD = {"process_thread_count", "process_unix_file_descriptor_count"}
READER = """
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        if sample.exemplar:
            print(sample.name, sample.labels["le"], sample.exemplar.value, sample.exemplar.labels["trace_id"])
"""


def test_readers(t):
    shop = Shop(t)
    promtool = lib.tool("promtool", "prometheus")
    zerospan = observer.observe_run(t, "--pid", shop.pid)
    equal(shop.client().post_json("/checkout", order()).status, 200, "checkout")
    wait_for(lambda: zerospan.metrics().sum(DURATION + "_count") == 2, "two requests")
    checked = subprocess.run([promtool, "check", "metrics"], input=zerospan.metrics_text(),
                             text=True, capture_output=True, check=False, timeout=20)
    findings = {line.split(" ", 1)[0] for line in (checked.stdout + checked.stderr).splitlines() if line}
    check(checked.returncode in (0, 3) and findings <= NAMED_BY_THE_STANDARD,
          f"promtool: {checked.stdout}{checked.stderr}")
    request = urllib.request.Request(zerospan.metrics_url,
                                     headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        text = answer.read().decode()
    read = subprocess.run(["/usr/bin/python3", "-c", READER], input=text, text=True,
                          capture_output=True, check=False, timeout=20)
    equal(read.returncode, 0, f"the strict reader: {read.stderr}")
    exemplars = [line.split() for line in read.stdout.splitlines()]
    check(any(name == DURATION + "_bucket" for name, *_ in exemplars), "exemplars of requests")
    for name, le, value, trace_id in exemplars:
        check(float(value) <= float(le), f"{name}: exemplar {value} is not in bucket {le}")
        equal(len(trace_id), 32, "trace id")
