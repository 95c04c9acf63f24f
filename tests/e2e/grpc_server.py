#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A receiver of OTLP over gRPC that nobody here wrote the protocol of: gRPC's own C core.

    grpc_server.py ANSWERS [CERTIFICATE KEY AUTHORITY]

ANSWERS: one for each call, with commas, the last one for all that follow: ok, partial (says that one item was rejected),
hang, or a code in lower case, perhaps with :SECONDS, a google.rpc.RetryInfo. With CERTIFICATE it speaks TLS and wants clients that
AUTHORITY vouches for. Prints the port, then a line of JSON for each call: path, metadata, body in hex; and {"gone": true} for one that
hangs until the client ends it.
"""
import concurrent.futures
import json
import sys
import threading

import grpc

RETRY_INFO = b"type.googleapis.com/google.rpc.RetryInfo"


def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data


def details(code, seconds):
    """google.rpc.Status with a RetryInfo."""
    info = field(1, bytes([0x08, seconds]))
    return bytes([0x08, code]) + field(3, field(1, RETRY_INFO) + field(2, info))


class Collector(grpc.GenericRpcHandler):
    def __init__(self, answers):
        self.answers = answers
        self.calls = 0
        self.lock = threading.Lock()

    def service(self, handler_call_details):
        path = handler_call_details.method

        def export(body, context):
            with self.lock:
                answer = self.answers[min(self.calls, len(self.answers) - 1)]
                self.calls += 1
                print(json.dumps({"path": path, "body": body.hex(),
                                  "deadline": context.time_remaining(),
                                  "metadata": [[key, str(value)] for key, value in context.invocation_metadata()]}),
                      flush=True)
            return self.answer(context, answer)

        return grpc.unary_unary_rpc_method_handler(export)

    @staticmethod
    def hang(context):
        ended = threading.Event()
        context.add_callback(ended.set)  # by reset, by its deadline or by loss of the connection
        if ended.wait(60):
            print(json.dumps({"gone": True}), flush=True)

    @staticmethod
    def answer(context, answer):
        if answer == "hang":
            Collector.hang(context)
        if answer in ("ok", "hang"):
            return b""
        if answer == "partial":
            return b"\x0a\x06\x08\x01\x12\x02no"
        name, _, seconds = answer.partition(":")
        code = grpc.StatusCode[name.upper()]
        if seconds:
            context.set_trailing_metadata((("grpc-status-details-bin", details(code.value[0], int(seconds))),))
        context.set_code(code)
        context.set_details("not now, " + "\u00e4\u00f6%")
        return b""


def main():
    answers, *tls = sys.argv[1:]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((Collector(answers.split(",")),))
    if tls:
        certificate, key, authority = (open(path, "rb").read() for path in tls)
        credentials = grpc.ssl_server_credentials([(key, certificate)], authority, True)
        port = server.add_secure_port("localhost:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
