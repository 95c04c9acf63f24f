#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A service that asks the next one and passes on what W3C Trace Context says, as libraries do: the same trace id and flags,
a parent id of its own, the tracestate as it came.

usage: relay_server.py [PORT]. Prints its port; with PORT each request is passed on to there. /bad is answered with 500 by
whoever has nobody to ask. Of each request it says on stderr when it begins and ends.
"""
import http.server
import os
import socketserver
import sys
import urllib.error
import urllib.request

NEXT = int(sys.argv[1]) if len(sys.argv) > 1 else None


def say(text):
    os.write(2, f"{'asks' if NEXT else 'answers'}: {text}\n".encode())


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def status(self):
        if NEXT is None:
            return 500 if self.path == "/bad" else 200
        request = urllib.request.Request(f"http://127.0.0.1:{NEXT}{self.path}")
        version, trace_id, _, flags = self.headers["traceparent"].split("-")
        request.add_header("traceparent", f"{version}-{trace_id}-{os.urandom(8).hex()}-{flags}")
        if "tracestate" in self.headers:
            request.add_header("tracestate", self.headers["tracestate"])
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def do_GET(self):
        say(f"begins {self.path}")
        status = self.status()
        say(f"ends {self.path}")
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
