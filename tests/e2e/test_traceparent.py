# SPDX-License-Identifier: Apache-2.0
"""An incoming traceparent is continued; what is none starts a new trace."""
import observer
from lib import check, equal
from shop import COMPLETE, Shop, expect_shape, order

RUNS_TOGETHER = True


def ids(n):
    """The n-th trace id and parent id of a test."""
    return f"{0xabc0 + n:032x}", f"{0x1230 + n:016x}"


def header(n, flags="01", version="00"):
    return f"{version}-{ids(n)[0]}-{ids(n)[1]}-{flags}"


def spans_by_path(t, requests):
    """Send one GET per (path, headers) and return the span of each by its path."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    client = shop.client()
    for path, headers in requests:
        client.get(path, headers)
    zerospan.wait_spans(len(requests))
    spans = zerospan.finish()
    equal(len(spans), len(requests), "number of spans")
    return {span.get("url.path"): span for span in spans}


def expect_continued(span, n, sampled=True):
    equal(span.trace_id, ids(n)[0], f"trace id of {span.get('url.path')}")
    equal(span.parent_id, ids(n)[1], f"parent of {span.get('url.path')}")
    equal(span.basis, "header", f"basis of {span.get('url.path')}")
    equal(span.sampled, sampled, f"sampled flag of {span.get('url.path')}")
    check(span.flags & 0x300 == 0x300, f"{span} does not say that its parent is remote")


def expect_new(span, n=None):
    path = span.get("url.path")
    equal(span.parent_id, "", f"parent of {path}")
    equal(span.basis, "none", f"basis of {path}")
    check(span.trace_id != "0" * 32 and len(span.trace_id) == 32, f"trace id of {path}")
    if n is not None:
        check(span.trace_id != ids(n)[0], f"{path} took the trace id of a header that is none")


def test_checkout_continues(t):
    """All seven spans are in the caller's trace."""
    shop = Shop(t)
    client = shop.client()
    client.get("/")
    zerospan = observer.observe(t, "--pid", shop.pid)
    client.post_json("/checkout", order(), [("traceparent", header(1))])
    zerospan.wait_spans(1, url__path="/checkout")
    spans = expect_shape(zerospan.finish(), COMPLETE)
    expect_continued(spans[0], 1)
    for span in spans:
        check(span.sampled, f"{span} lost the sampled flag")
    equal([s.basis for s in spans[1:4]], ["thread", "thread", "socket"], "bases below")


def test_checkout_not_sampled(t):
    """Flags 00 hold for the whole trace."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    shop.client().post_json("/checkout", order(), [("traceparent", header(1, "00"))])
    zerospan.wait_spans(1, url__path="/checkout")
    spans = expect_shape(zerospan.finish(), COMPLETE)
    expect_continued(spans[0], 1, sampled=False)
    for span in spans:
        check(not span.sampled, f"{span} became sampled")


def test_forms_that_count(t):
    far = [("X-Padding-%d" % i, "p" * 200) for i in range(22)]
    spans = spans_by_path(t, [
        ("/plain", [("traceparent", header(1))]),
        ("/upper-name", [("TRACEPARENT", header(2))]),
        ("/odd-name", [("tRaCePaReNt", header(3))]),
        ("/spaces", [("traceparent", "  " + header(4) + "  ")]),
        ("/far", far + [("traceparent", header(5))]),
        ("/unsampled", [("traceparent", header(6, "00"))]),
        ("/other-flags", [("traceparent", header(7, "fb"))]),
        ("/newer-version", [("traceparent", header(8, version="cc") + "-and-more")]),
        ("/none", []),
    ])
    for n, path in enumerate(["/plain", "/upper-name", "/odd-name", "/spaces", "/far"], 1):
        expect_continued(spans[path], n)
    expect_continued(spans["/unsampled"], 6, sampled=False)
    expect_continued(spans["/other-flags"], 7)
    expect_continued(spans["/newer-version"], 8)
    expect_new(spans["/none"])


def test_forms_that_do_not_count(t):
    good = header(1)
    forms = {
        "/empty": [("traceparent", "")],
        "/short": [("traceparent", good[:-1])],
        "/long": [("traceparent", good + "-00")],
        "/upper-hex": [("traceparent", good.upper())],
        "/zero-trace": [("traceparent", f"00-{'0' * 32}-{ids(1)[1]}-01")],
        "/zero-parent": [("traceparent", f"00-{ids(1)[0]}-{'0' * 16}-01")],
        "/version-ff": [("traceparent", header(1, version="ff"))],
        "/no-hex": [("traceparent", good.replace("a", "g"))],
        "/twice": [("traceparent", good), ("traceparent", header(2))],
        "/other-name": [("x-traceparent", good)],
        "/longer-name": [("traceparents", good)],
        "/in-a-value": [("X-Note", f"traceparent: {good}")],
        "/in-a-cookie": [("Cookie", f"a=b; traceparent={good}")],
    }
    spans = spans_by_path(t, list(forms.items()))
    for path in forms:
        expect_new(spans[path], 1)
    trace_ids = {span.trace_id for span in spans.values()}
    equal(len(trace_ids), len(forms), "different trace ids")


def test_not_in_target_or_body(t):
    """The words stand in the query and in the body, but not in the head's fields."""
    shop = Shop(t)
    zerospan = observer.observe(t, "--pid", shop.pid)
    client = shop.client()
    client.get(f"/query?traceparent={header(1)}")
    client.request("POST", "/body", [("Content-Type", "text/plain")],
                   f"\r\ntraceparent: {header(1)}\r\n\r\n")
    zerospan.wait_spans(2)
    for span in zerospan.finish():
        expect_new(span, 1)


def test_connection_mixes(t):
    """Each request of a connection stands for itself."""
    spans = spans_by_path(t, [
        ("/a", [("traceparent", header(1))]), ("/b", []), ("/c", [("traceparent", header(2))])])
    expect_continued(spans["/a"], 1)
    expect_new(spans["/b"])
    expect_continued(spans["/c"], 2)


def test_tracestate(t):
    spans = spans_by_path(t, [
        ("/one", [("traceparent", header(1)), ("tracestate", "vendor=value,other@x=1")]),
        ("/two-fields", [("traceparent", header(2)), ("tracestate", "a=1"), ("Tracestate", "b=2")]),
        ("/without-parent", [("tracestate", "a=1")]),
        ("/bad-parent", [("traceparent", "00-00"), ("tracestate", "a=1")]),
        ("/bad-state", [("traceparent", header(3)), ("tracestate", "UPPER KEY=1")]),
    ])
    equal(spans["/one"].trace_state, "vendor=value,other@x=1", "traceState")
    equal(spans["/two-fields"].trace_state, "a=1,b=2", "traceState of two fields")
    equal(spans["/without-parent"].trace_state, "", "traceState without traceparent")
    equal(spans["/bad-parent"].trace_state, "", "traceState with a bad traceparent")
    expect_continued(spans["/bad-state"], 3)
    equal(spans["/bad-state"].trace_state, "", "traceState that is none")
