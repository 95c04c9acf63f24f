# SPDX-License-Identifier: Apache-2.0
"""Nothing of a payload leaves without a rule that names it: planted secrets are in no output."""
import glob
import os

import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for
from otlp import Receiver

RUNS_TOGETHER = True

SECRET = "s3cr3tvalue"
# A server that reads bodies, runs SQL with literals, logs (all, or no secret), and answers with what it was given.
SERVER = r'''
import http.server, json, sqlite3, sys
db = sqlite3.connect(sys.argv[2], check_same_thread=False)
db.execute("CREATE TABLE IF NOT EXISTS t(a)")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        db.execute("INSERT INTO t(a) VALUES('" + body.decode().replace("'", "''") + "') -- " + "SECRET")
        db.commit()
        print("log line", body.decode() if sys.argv[3] == "all" else json.loads(body)["item"], flush=True)
        self.send_response(200)
        self.send_header("Set-Cookie", "session=" + "SECRET")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''.replace('"SECRET"', f'"{SECRET}"')
CONFIG = """
redaction: {hash_key: 000102030405060708090a0b0c0d0e0f}
rules:
  - match: POST *
    attributes:
      plain: request.item
      hashed: {value: request.password, as: hash}
      masked: {value: request.card, as: mask}
    metrics:
      - {counter: things, labels: {item: request.item, who: {value: request.password, as: hash}}}
"""
BODY = {"item": "phone", "password": SECRET, "card": "4111" + SECRET + "9876", "other": SECRET}
HEADERS = (("Authorization", f"Bearer {SECRET}"), ("Cookie", f"a={SECRET}"), ("X-Api-Key", SECRET),
           ("X-Other", SECRET))


def serve(t, says="all"):
    port = lib.free_port()
    process = t.start(lib.PYTHON, t.write("server.py", SERVER), str(port), t.path("server.db"), says)
    wait_for(lambda: lib.listens(port), "the server to listen")
    return process, port


def ask(port, n):
    client = Client(port)
    for _ in range(n):
        answer = client.post_json(f"/things?id=1&sig={SECRET}", BODY, HEADERS)
        equal(answer.status, 200, "status")
    client.close()


def expect_clean(texts):
    for name, text in texts.items():
        text = text if isinstance(text, bytes) else text.encode()
        check(text, f"{name} says something")
        check(SECRET.encode() not in text, f"{name} holds a secret")


def observe(t, *args):
    """Run it; all that came out, by name."""
    receiver = Receiver(t)
    process, port = serve(t)
    zerospan = observer.observe_run(t, "--port", port, "--output", t.path("out.json"), "--record",
                                    t.path("rec"), "--otlp-endpoint", receiver.url, *args)
    ask(port, 3)
    name = "http_server_request_duration_seconds_count"
    wait_for(lambda: zerospan.metrics().sum(name) >= 3, "the requests in /metrics")
    scraped, exemplars, page = zerospan.metrics_text(), zerospan.openmetrics_text(), zerospan.page_text()
    equal(zerospan.stop(), 0, "exit status")
    check(SECRET in process.out, "the server logs the secret")
    outputs = {"/metrics": scraped, "OpenMetrics": exemplars, "the page": page, "what zerospan says": zerospan.err,
               "OTLP traces": b"".join(receiver.bodies),
               "OTLP metrics": b"".join(receiver.metric_bodies)}
    for path in glob.glob(t.path("out.json*")) + [t.path("rec")]:
        with open(path, "rb") as file:
            outputs[os.path.basename(path)] = file.read()
    outputs.update(replays(t, *[arg for arg in args if arg != "--record-payloads"]))
    return outputs


def replays(t, *args):
    """What the recording gives, by the form it is shown in."""
    outputs = {}
    for form in ("tree", "otlp-json", "why", "why-json"):
        played = observer.start(t, "replay", "--format", form, *args, t.path("rec"))
        equal(played.wait(), 0, f"exit status of replay ({played.err})")
        check("/things" in played.out, f"replay --format {form} shows the requests: {played.out}")
        outputs[f"replay --format {form}"] = played.out
        outputs[f"what replay --format {form} says"] = played.err or "nothing"
    return outputs


def test_without_rules(t):
    outputs = observe(t)
    expect_clean(outputs)
    check(b"sig=REDACTED" in outputs["out.json"] and b"INSERT INTO t(a) VALUES(?)" in
          outputs["out.json"], "the spans are there")


def test_with_rules(t):
    """What rules name leaves as they say."""
    outputs = observe(t, "--config", t.write("rules.yaml", CONFIG))
    expect_clean(outputs)
    spans = outputs["out.json"].decode()
    check('"plain"' in spans and '"phone"' in spans and '"****9876"' in spans, "attributes")
    check('things_total{' in outputs["/metrics"] and 'item="phone"' in outputs["/metrics"], "labels")


def test_a_recording_that_was_asked_for_all(t):
    """Then it is in the file, and still in nothing else."""
    outputs = observe(t, "--record-payloads")
    check(SECRET.encode() in outputs.pop("rec"), "the recording holds payloads")
    expect_clean(outputs)


def test_on_the_terminal(t):
    """What people read, and programs in its place: the trees of trace, the words of why."""
    _, port = serve(t)
    config = t.write("rules.yaml", CONFIG)
    shown = {"trace": ("trace",), "trace --format otlp-json": ("trace", "--format", "otlp-json"),
             "why": ("why", "--duration", 60), "why --format json": ("why", "--format", "json", "--duration", 60)}
    observers = {name: observer.start(t, *command, "--port", port, "--config", config)
                 for name, command in shown.items()}
    for zerospan in observers.values():
        zerospan.wait_ready(30)
    ask(port, 10)
    outputs = {}
    for name, zerospan in observers.items():  # traces first: when they show it, it can be in the reports
        if name.startswith("trace"):
            wait_for(lambda: zerospan.out.count("POST /things") >= 10, f"the requests in {name}")
        equal(zerospan.stop(), 0, f"exit status of {name}")
        check("POST /things" in zerospan.out, f"{name} shows the requests: {zerospan.out}")
        outputs[name], outputs[f"what {name} says"] = zerospan.out, zerospan.err
    expect_clean(outputs)
    check("****9876" in outputs["trace --format otlp-json"], "what the rules name is there")


def test_lines_of_a_program_that_keeps_its_secrets(t):
    """Lines leave as they were written: where no secret is in them, none is in what leaves with them."""
    receiver = Receiver(t)
    process, port = serve(t, "no secret")
    zerospan = observer.observe_run(t, "--port", port, "--logs", "--config", t.write("rules.yaml", CONFIG),
                                    "--output", t.path("out.json"), env=receiver.environment)
    ask(port, 3)
    wait_for(lambda: process.out.count("log line phone") >= 3, "the lines")
    equal(zerospan.stop(), 0, "exit status")
    outputs = {"OTLP logs": b"".join(receiver.log_bodies), "OTLP traces": b"".join(receiver.bodies),
               "OTLP metrics": b"".join(receiver.metric_bodies), "what zerospan says": zerospan.err}
    for path in glob.glob(t.path("out.json*")):
        with open(path, "rb") as file:
            outputs[os.path.basename(path)] = file.read()
    expect_clean(outputs)
    equal(outputs["OTLP logs"].count(b"log line phone"), 3, "lines that were sent on")
