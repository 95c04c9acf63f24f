# SPDX-License-Identifier: Apache-2.0
"""Metrics as an OTLP destination reads them: a decoder by the field numbers of opentelemetry-proto that knows nothing
of zerospan, and checks what the specification demands of every data point."""
import struct

from lib import check
from otlp import fields, first, key_values, message

CUMULATIVE, DELTA = "cumulative", "delta"
TEMPORALITY = {1: DELTA, 2: CUMULATIVE}
HISTOGRAM, EXPONENTIAL = "histogram", "exponential"


class Point:
    """One data point with what its metric says. kind: gauge, sum, histogram, exponential. Times are Unix ns; start is
    None for a gauge. Numbers that a kind has not are None: value, or count, sum, min, max and buckets; bounds, or
    scale, zero_count and offset. exemplars: (time, value, trace id, span id)."""

    value = count = sum = min = max = buckets = bounds = scale = zero_count = offset = None
    temporality = monotonic = start = None

    def __repr__(self):
        return f"{self.kind} {self.name} {self.attrs}"


def double(bits):
    return None if bits is None else struct.unpack("<d", struct.pack("<Q", bits))[0]


def zigzag(value):
    return value >> 1 ^ -(value & 1)


def packed(data, item):
    return [value for value, in struct.iter_unpack(item, data)]


def varints(data):
    """Packed varints: each is read as the number of a field would be, behind a key of field 1."""
    values, at = [], 0
    while at < len(data):
        end = at
        while data[end] >= 0x80:
            end += 1
        (_, value), = fields(b"\x08" + data[at:end + 1])
        values.append(value)
        at = end + 1
    return values


def exemplar(data):
    found = message(data)
    trace_id, span_id = first(found, 5).hex(), first(found, 4).hex()
    check(len(trace_id) == 32 and len(span_id) == 16, f"ids of an exemplar: {trace_id}, {span_id}")
    check(int(trace_id, 16) and int(span_id, 16), "an exemplar with ids of zero")
    return first(found, 2, 0), double(first(found, 3, None)), trace_id, span_id


def read_number(point, found):
    point.attrs = key_values(found.get(7, []))
    point.value = double(first(found, 4, None))
    check(point.value is not None, f"{point} has no value")


def read_histogram(point, found):
    point.attrs = key_values(found.get(9, []))
    point.count, point.sum = first(found, 4, 0), double(first(found, 5, None))
    point.buckets, point.bounds = packed(first(found, 6), "<Q"), packed(first(found, 7), "<d")
    point.exemplars = [exemplar(data) for data in found.get(8, [])]
    point.min, point.max = double(first(found, 11, None)), double(first(found, 12, None))
    check(len(point.buckets) == len(point.bounds) + 1, f"{point}: buckets {point.buckets}, bounds {point.bounds}")
    check(point.bounds == sorted(set(point.bounds)), f"{point}: bounds {point.bounds}")
    check(sum(point.buckets) == point.count, f"{point}: {point.count} values, buckets {point.buckets}")


def read_exponential(point, found):
    point.attrs = key_values(found.get(1, []))
    point.count, point.sum = first(found, 4, 0), double(first(found, 5, None))
    point.scale, point.zero_count = zigzag(first(found, 6, 0)), first(found, 7, 0)
    positive = message(first(found, 8))
    point.offset, point.buckets = zigzag(first(positive, 1, 0)), varints(first(positive, 2))
    point.exemplars = [exemplar(data) for data in found.get(11, [])]
    point.min, point.max = double(first(found, 12, None)), double(first(found, 13, None))
    check(9 not in found, f"{point}: negative values")
    check(len(point.buckets) <= 160 and point.scale <= 20,
          f"{point}: {len(point.buckets)} buckets, scale {point.scale}")
    check(point.zero_count + sum(point.buckets) == point.count,
          f"{point}: {point.count} values, {point.zero_count} are 0, buckets {point.buckets}")


# The field of Metric.data: the kind, what reads a point, whether there is a temporality.
KINDS = {
    5: ("gauge", read_number, False),
    7: ("sum", read_number, True),
    9: (HISTOGRAM, read_histogram, True),
    10: (EXPONENTIAL, read_exponential, True),
}


def decode_point(data, metric, form, resource):
    found = message(data)
    point = Point()
    point.kind, read, has_temporality = KINDS[form]
    point.name, point.unit = first(metric, 1).decode(), first(metric, 3).decode()
    point.description, point.resource = first(metric, 2).decode(), resource
    point.attrs, point.exemplars = {}, []
    if has_temporality:
        data_fields = message(first(metric, form))
        point.temporality = TEMPORALITY[first(data_fields, 2, 0)]
        point.monotonic = bool(first(data_fields, 3, 0))
        point.start = first(found, 2, 0)
    point.time = first(found, 3, 0)
    read(point, found)
    check(point.name and point.time, f"{point}: no name or no time")
    if has_temporality:
        check(0 < point.start <= point.time, f"{point}: from {point.start} to {point.time}")
    for time, *_ in point.exemplars:
        check(point.start < time <= point.time, f"{point}: exemplar at {time}, from {point.start} to {point.time}")
    return point


def decode_metric(data, resource):
    metric = message(data)
    form, = [number for number in KINDS if number in metric]
    points = message(first(metric, form)).get(1, [])
    check(points, f"metric {first(metric, 1)} without points")
    return [decode_point(point, metric, form, resource) for point in points]


def decode_request(body):
    """All points of an ExportMetricsServiceRequest, which never has empty parts."""
    points = []
    groups = message(body).get(1, [])
    check(groups, "a request without contents")
    for group in map(message, groups):
        resource = key_values(message(first(group, 1)).get(1, []))
        for scope in map(message, group.get(2, [])):
            check(scope.get(2), "a scope without metrics")
            for data in scope[2]:
                points += decode_metric(data, resource)
    return points
