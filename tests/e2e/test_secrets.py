# SPDX-License-Identifier: Apache-2.0
"""Nothing of a payload leaves without a rule that names it: planted secrets are in no output."""
import glob
import os

import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for
from otlp import Receiver

SECRET = "s3cr3tvalue"
# A server that reads bodies, runs SQL with literals, logs, and answers with what it was given.
SERVER = r'''
import http.server, sqlite3, sys
db = sqlite3.connect(sys.argv[2], check_same_thread=False)
db.execute("CREATE TABLE IF NOT EXISTS t(a)")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        db.execute("INSERT INTO t(a) VALUES('" + body.decode().replace("'", "''") + "') -- " + "SECRET")
        db.commit()
        print("log line", body.decode(), flush=True)
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


def serve(t):
    port = lib.free_port()
    process = t.start(lib.PYTHON, t.write("server.py", SERVER), str(port), t.path("server.db"))
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
    scraped, page = zerospan.metrics_text(), zerospan.page_text()
    equal(zerospan.stop(), 0, "exit status")
    check(SECRET in process.out, "the server logs the secret")
    outputs = {"/metrics": scraped, "the page": page, "what zerospan says": zerospan.err,
               "OTLP traces": b"".join(receiver.bodies),
               "OTLP metrics": b"".join(receiver.metric_bodies)}
    for path in glob.glob(t.path("out.json*")) + [t.path("rec")]:
        with open(path, "rb") as file:
            outputs[os.path.basename(path)] = file.read()
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
