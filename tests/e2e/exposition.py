# SPDX-License-Identifier: Apache-2.0
"""A reader of /metrics in text 0.0.4 and OpenMetrics 1.0 for what promtool, Prometheus and the Python parser let pass:
series that stand twice, families in pieces, samples before their TYPE, exemplars outside their bucket."""
import re

from lib import check

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)'
                    r'(?: # \{(.*)\} (\S+) (\S+))?$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
ENDINGS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total", ""), "info": ("_info",), "gauge": ("",)}


class Exemplar:
    def __init__(self, name, labels, value):
        self.name, self.labels, self.value = name, labels, value


def _belongs(name, family, kind):
    return any(name == family + ending for ending in ENDINGS[kind])


def check_exposition(text):
    """Fails with the first line that is wrong; the exemplars."""
    seen, families, exemplars = set(), {}, []
    family, bucket = None, (None, None)
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            check(family not in families, f"family {family} begins twice")
            families[family] = kind
        elif line.startswith("# ") and line != "# EOF":
            check(line.split(" ")[2] == family, f"not of {family}: {line}")
        elif not line.startswith("#"):
            match = SAMPLE.match(line)
            check(match, f"no sample: {line!r}")
            name, labels = match.group(1), dict(LABEL.findall(match.group(2) or ""))
            check(family and _belongs(name, family, families[family]), f"{line!r} is not of family {family}")
            series = name, frozenset(labels.items())
            check(series not in seen, f"twice: {line!r}")
            seen.add(series)
            bucket = _check_bucket(labels, bucket)
            if match.group(4) is not None:
                exemplars.append(_exemplar(match, labels, bucket, line))
    check(seen, "no samples")
    return exemplars


def samples(text, name):
    """The samples of that name: (labels, value) each."""
    found = (SAMPLE.match(line) for line in text.splitlines())
    return [(dict(LABEL.findall(match.group(2) or "")), float(match.group(3)))
            for match in found if match and match.group(1) == name]


def _check_bucket(labels, before):
    """(lower bound, upper bound) of a bucket; the one before it in the text says where it begins."""
    if "le" not in labels:
        return None, None
    upper = float(labels["le"])
    check(before[1] is None or before[1] < upper, f"bucket {upper} after {before[1]}: {labels}")
    return float("-inf") if before[1] is None else before[1], upper


def _exemplar(match, labels, bucket, line):
    value = float(match.group(5))
    check(bucket[1] is not None, f"an exemplar outside a bucket: {line!r}")
    check(bucket[0] < value <= bucket[1], f"exemplar {value} is not in ({bucket[0]}, {bucket[1]}]: {line!r}")
    return Exemplar(match.group(1), dict(LABEL.findall(match.group(4))), value)
