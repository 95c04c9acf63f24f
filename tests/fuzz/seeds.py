# SPDX-License-Identifier: Apache-2.0
"""Seeds for the fuzzers, made from what the other tests already know: the strings and machine code in the unit
tests, tests/data, the golden recordings. Each seeds_* yields bytes in the form that its target reads."""
import ast
import glob
import gzip
import os
import re
import shutil
import struct
import subprocess
import tempfile
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEAD, BLOCK, ITEM = 32, 16, 8  # bytes (user/ingest/recording.h)
EVENT, WAIT, PLACE = 4, 9, 10  # JOURNAL_EVENT and others (user/journal/journal.h)
DATA = 2                       # ZSP_KIND_DATA (bpf/event.h)
LITERALS = re.compile(r'"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
# The macros of the unit tests that stand in the middle of strings.
MACROS = {"HOST": r'"Host: a\r\n"', "OK2": r'"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"',
          "OK0": r'"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"'}


def read(*path):
    with open(os.path.join(ROOT, *path), "rb") as f:
        return f.read()


def unescape(literal):
    """The bytes of a C string's text; what Python does not read alike is left out by the caller."""
    return ast.literal_eval('b"' + literal.replace(r"\0", r"\x00") + '"')


def source(name):
    text = read("tests", "unit", name).decode("utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for macro, value in MACROS.items():
        text = re.sub(rf"\b{macro}\b", lambda _: value, text)
    return text


def strings(*patterns):
    """All strings in the unit tests of these names, adjacent ones joined."""
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(ROOT, "tests", "unit", pattern))):
            for match in LITERALS.finditer(source(os.path.basename(path))):
                try:
                    yield b"".join(unescape(part) for part in LITERAL.findall(match.group()))
                except (SyntaxError, ValueError):
                    continue


def plain(*patterns):
    return lambda: strings(*patterns)


# --- recordings -------------------------------------------------------------------------------------


def entries(recording):
    """(type, body) of each entry in a recording."""
    at = HEAD
    while at < len(recording):
        end = at + BLOCK + struct.unpack_from("<I", recording, at + 8)[0]
        at += BLOCK
        while at < end:
            kind, _, size = struct.unpack_from("<HHI", recording, at)
            yield kind, recording[at + ITEM:at + ITEM + size]
            at += ITEM + (size + 7) // 8 * 8


def golden():
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "replay", "golden", "*.zsrec"))):
        with open(path, "rb") as f:
            yield f.read()


def seeds_decode():
    for data in golden():
        yield from (body for kind, body in entries(data) if kind == EVENT)


def item(kind, body):
    return struct.pack("<HHI", kind, 0, len(body)) + body + bytes(-len(body) % 8)


def recording(head, blocks):
    return head + b"".join(struct.pack("<IIII", 0x4b4c425a, 0, len(block), number) + block
                           for number, block in enumerate(blocks))


def seeds_recording():
    """Short recordings: a few entries of the golden ones in two blocks. The target computes checksums."""
    for data in golden():
        items = [item(kind, body) for kind, body in entries(data)]
        for start in range(1, len(items) - 6, 12):
            yield recording(data[:HEAD], [items[0] + items[start], b"".join(items[start + 1:start + 5]) + items[-1]])


def with_waits(data):
    """The same where each thread is looked at right after what it did; it has waited since then."""
    for number, (kind, body) in enumerate(entries(data)):
        yield item(kind, body)
        if kind != EVENT or struct.unpack_from("<H", body)[0] != DATA:
            continue
        time, pid, tid = struct.unpack_from("<QII", body, 8)
        asked = number % 3 != 0
        yield item(WAIT, struct.pack("<QQIIII", time, time + 1000, pid, tid, number % 10, asked) + body[64:160])
        if asked:
            yield item(PLACE, struct.pack("<QIIII", time, tid, 9, 0, 0) + b"user\nmainkernel")


def seeds_replay():
    yield from golden()
    yield from seeds_recording()
    for data in golden():
        items = list(with_waits(data))
        yield recording(data[:HEAD], [b"".join(items[at:at + 64]) for at in range(0, len(items), 64)])


# --- HTTP -------------------------------------------------------------------------------------------


def messages():
    for text in strings("test_http1_*.c", "test_exchange*.c", "test_pipeline*.c"):
        if b"HTTP/1" in text:
            yield text


def seeds_head():
    for text in messages():
        yield b"\xff\xff" + text
        yield struct.pack("<H", len(text) // 2) + text
    yield from (b"\0\0" + text for text in strings("test_http1_stream*.c"))


def seeds_stream():
    for text in messages():
        flags = 1 if text.startswith(b"HTTP/") else 0
        yield bytes([flags, 0, 0, 0, 0, 0, 0, 0, 0]) + text
        yield bytes([flags, 9, 0, 20, 3, 0, 60, 127, 7]) + text
        yield bytes([flags | 4, 0, 0, 100, 0x85, 100, 100, 0x80, 50]) + text


def seeds_diff():
    for text in messages():
        flags = 1 if text.startswith(b"HTTP/") else 0
        yield bytes([flags, 0]) + text


def moves(op, text):
    """Reads or writes (fuzz_exchange.c) of at most 239 bytes."""
    return b"".join(bytes([op, len(part)]) + part
                    for part in (text[i:i + 239] for i in range(0, len(text), 239)))


def seeds_exchange():
    """The conversations of test_exchange_vectors.c, observed at the server, from birth and late."""
    ends = {"END_Q": b"\x05", "END_S": b"\x04", "RESET": b"\x06\x01", "CLOSE": b"\x06\x00"}
    text = source("test_exchange_vectors.c")
    for vector in re.split(r"\n    \{", text)[1:]:
        steps = b""
        for what, literals, end in re.findall(
                r'\b([QS])\(((?:\s*"(?:[^"\\\n]|\\.)*")+)\)|\b(END_Q|END_S|RESET|CLOSE)\b', vector):
            try:
                part = b"".join(unescape(p) for p in LITERAL.findall(literals))
            except (SyntaxError, ValueError):
                break
            steps += ends[end] if end else moves(1 if what == "Q" else 2, part)
        yield b"\x00\x01" + steps
        yield b"\x00\x00" + steps


# --- the rest ---------------------------------------------------------------------------------------


def seeds_url():
    for text in strings("test_url.c", "test_http_span_url.c"):
        yield b"\0" + text
        yield b"\1" + text


def seeds_ot_state():
    """Seven bytes of a threshold, then a tracestate."""
    for item in strings("test_ot_state.c", "test_sampler.c"):
        yield b"\x80" + bytes(6) + item


def seeds_trace_context():
    for name in ("traceparent_vectors.tsv", "tracestate_vectors.tsv"):
        for line in read("tests", "data", name).splitlines():
            for column in line.split(b"\t"):
                yield column
                yield b"\n".join(part.partition(b": ")[2] for part in column.split(b"\\n"))


def seeds_options():
    for text in strings("test_options.c"):
        yield text.replace(b" ", b"\n")


def seeds_otlp_env():
    for text in strings("test_otlp_env.c"):
        yield from (b"\n" * n + text for n in (0, 1, 2, 3))
    yield b"a=b,api-key=x%20y\nhttps://host:4318/base\n500\nhttp/protobuf\nnone\n\n\notlp\nfalse"


def seeds_otlp_response():
    """The status of HTTP as a word above 100, five fields, the body."""
    ok, unavailable = b"\x64\x00", b"\x93\x01"
    yield ok + b"\n" * 5 + b"\x0a\x05\x08\x03\x12\x01x"             # partial_success: 3 items, "x"
    yield unavailable + b"2\n" + b"\n" * 4 + b"\x08\x03\x12\x05wrong\x1a\x02\x0a\x00"  # status 3, "wrong", a detail
    yield ok + b"\n0\n\n\n\n" + b"\0\0\0\0\x06\x0a\x04\x12\x02no"  # gRPC: OK and a warning
    yield ok + b"\n14\nnot%20now\nCAgaMgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAg\n\n"
    packed = gzip.compress(b"\x0a\x04\x12\x02no")
    yield ok + b"\n0\n\n\ngzip\n\x01" + len(packed).to_bytes(4, "big") + packed


def seeds_code():
    for array in re.findall(r"\{((?:\s*0x[0-9a-f]{2},?)+)\s*\}", source("test_sqlite_code.c")):
        yield bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2})", array))
    for text in strings("test_sqlite_code*.c"):
        yield text
        try:
            yield bytes.fromhex(text.decode())
        except (ValueError, UnicodeDecodeError):
            continue


def seeds_source_id():
    id_ = b"2022-12-28 14:03:47 " + b"df5c253c0b3dd24916e4ec7cf77d3db5294cc9fd45ae7b9c5e82ad8197f38a24"
    yield id_ + b"\0SQLite format 3\0"
    yield b"SQLite format 3\0" + id_[:-4] + b"alt1"
    yield b"--" + id_[:60]


def seeds_sqlite_db():
    """A handle, its list, Btree, BtShared, Pager and names (user/discover/sqlite_db.h), as offsets."""
    for name in (b":memory:\0", b"/memfd:db\0"):
        words = [0] * 32
        words[4], words[16], words[17] = 128, 400, 144  # aDb; "main", Btree
        words[18], words[19], words[20] = 0, 160, 168   # the handle, BtShared; its Pager
        words[21 + 3] = 416
        image = struct.pack("<32Q", *words).ljust(400, b"\0") + b"main".ljust(16, b"\0") + name
        yield image.ljust(512, b"\0")


def seeds_elf():
    """A small library, as the compiler at hand makes it, with and without section heads."""
    text = b"int sqlite3_step(int x) { return x + 1; } int sqlite3_sql(int x) { return x * 2; }\n"
    compiler = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
    if not compiler:
        return
    for options in (["-shared"], ["-shared", "-Wl,--hash-style=gnu", "-Wl,-s"], ["-c"]):
        with tempfile.TemporaryDirectory() as directory:
            out = os.path.join(directory, "out")
            done = subprocess.run(
                [compiler, "-xc", "-", "-o", out, "-Os", "-nostdlib", "-fno-asynchronous-unwind-tables",
                 "-Wl,-z,noseparate-code,--build-id,--no-as-needed", "-Wl,-z,max-page-size=64"] + options,
                input=text, stderr=subprocess.DEVNULL, check=False)
            if done.returncode == 0:
                with open(out, "rb") as f:
                    yield f.read()


# Functions with a frame, with others inlined, and recursion, at addresses below 0x2000.
DEBUGGED = b"""
volatile int sink;
static inline __attribute__((always_inline)) int inner(int x) { sink = x; return x * sink; }
static inline __attribute__((always_inline)) int outer(int x) { return inner(x + 1) - sink; }
__attribute__((noinline)) int work(int x) { char room[64] __attribute__((aligned(64))); room[x] = 1; return outer(x) + room[x + 1]; }
int _start(int x) { return x ? work(_start(x - 1)) ^ sink : sink; }
"""


def sections(elf):
    """(name, flags, contents) of each section."""
    (at,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3A)
    heads = [struct.unpack_from("<IIQQQQ", elf, at + i * size) for i in range(count)]
    for name, kind, flags, _address, offset, length in heads:
        start = heads[names][4] + name
        yield elf[start:elf.index(b"\0", start)].decode(), flags, elf[offset:offset + length] if kind != 8 else b""


def debugged():
    """Programs with debug information, as the compilers at hand make it."""
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            continue
        for options in (["-g"], ["-gdwarf-4"], ["-g", "-gz=zlib"], ["-g", "-fno-asynchronous-unwind-tables"]):
            with tempfile.TemporaryDirectory() as directory:
                out = os.path.join(directory, "out")
                done = subprocess.run(
                    [compiler, "-xc", "-", "-o", out, "-O2", "-nostdlib", "-no-pie", "-fno-stack-protector",
                     "-Wl,-Ttext=0x1000,--no-eh-frame-hdr"] + options,
                    input=DEBUGGED, stderr=subprocess.DEVNULL, check=False)
                if done.returncode == 0:
                    with open(out, "rb") as f:
                        yield f.read()


def seeds_debug_info():
    names = re.findall(r'"(\.[a-z_.-]+)"', read("tests", "fuzz", "fuzz_debug_info.c").decode())
    for elf in debugged():
        for address in (0, 0x20, 0x40):
            seed = struct.pack("<H", address)
            for name, flags, contents in sections(elf):
                if name in names and contents:
                    seed += struct.pack("<BH", names.index(name) | (0x80 if flags & 0x800 else 0), len(contents)) + contents
            yield seed


def seeds_unwind_table():
    """Each function's entry behind its common part, some registers, and words of a stack."""
    for elf in debugged():
        table = next((c for name, _, c in sections(elf) if name in (".eh_frame", ".debug_frame")), b"")
        entries_ = []
        while len(table) > 4:
            (length,) = struct.unpack_from("<I", table)
            entries_.append(table[:length + 4])
            table = table[length + 4:]
        for entry in entries_[1:]:
            for place in (0, 9, 40):
                yield (struct.pack("<BHBBHBB", 1, place, 0, 6, 32, len(entries_[0]), len(entry)) + entries_[0] + entry +
                       struct.pack("<16Q", *(0x10000 + 8 * i for i in range(16))))


def seeds_stack():
    """Registers and words, each as its kind and number: the stack, code, anything."""
    for kind in (0, 1, 2, 3):
        yield bytes((kind, 0, 5, 0x40, 8, 0)) + 4 * bytes(3) + b"\0" + 32 * bytes((kind, 10, 4, 0x40, 64, 0))


def seeds_forwarded():
    for text in strings("test_forwarded.c"):
        yield text
        yield b"GET / HTTP/1.1\r\nForwarded: " + text + b"\r\n\r\n"
        yield b"GET / HTTP/1.1\r\nX-Forwarded-For: " + text + b"\r\nX-Forwarded-Host: a\r\n\r\n"


def seeds_route_pattern():
    yield b"\n".join(strings("test_route_pattern.c"))
    yield b"/users/{id}\n/users/me\n/static/*\n/\n/users/{id}/orders/*\n/users/me/orders"
    yield from strings("test_route_pattern.c", "test_http_naming.c")


def seeds_config():
    yield read("deploy", "shop.yaml")
    yield from strings("test_config.c", "test_rules_config.c", "test_sampling_config.c")


def seeds_json():
    for text in strings("test_json.c", "test_rule_metrics.c"):
        yield text + b"\x07"


def seeds_payload():
    """Bodies in all ways; packed ones as they are."""
    bodies = [b'{"item":"ph\u006fne","quantity":2,"price":0.5,"a":{"b":[0,"x"]},"a-key":null}',
              b"item=a%20b&quantity=2&price=3&a-key=%2B+"]
    for number, body in enumerate(bodies):
        for how in range(16):
            yield bytes([how, 3, number * how]) + body
        for lost in (0, 12):
            yield bytes([3, 5, lost]) + gzip.compress(body) + gzip.compress(body)
            yield bytes([3, 5, lost]) + zlib.compress(body)
    yield from (b"\x00\x07\x00" + text for text in strings("test_json.c"))


def seeds_rule():
    for text in strings("test_rule_expr.c"):
        yield b"\x00\x08\x09\x0a" + text


SEEDS = {
    "fuzz_accept": plain("test_accept.c"),
    "fuzz_code": seeds_code,
    "fuzz_config": seeds_config,
    "fuzz_debug_info": seeds_debug_info,
    "fuzz_decode": seeds_decode,
    "fuzz_elf": seeds_elf,
    "fuzz_exchange": seeds_exchange,
    "fuzz_forwarded": seeds_forwarded,
    "fuzz_http1_diff": seeds_diff,
    "fuzz_http1_head": seeds_head,
    "fuzz_http1_stream": seeds_stream,
    "fuzz_json": seeds_json,
    "fuzz_options": seeds_options,
    "fuzz_ot_state": seeds_ot_state,
    "fuzz_lines": plain("test_lines.c", "test_log_level.c"),
    "fuzz_log_level": plain("test_log_level.c"),
    "fuzz_otlp_env": seeds_otlp_env,
    "fuzz_otlp_response": seeds_otlp_response,
    "fuzz_payload": seeds_payload,
    "fuzz_proc": plain("test_proc.c"),
    "fuzz_resource": plain("test_resource.c"),
    "fuzz_recording": seeds_recording,
    "fuzz_replay": seeds_replay,
    "fuzz_retry_after": plain("test_otlp_env.c"),
    "fuzz_route": plain("test_route*.c"),
    "fuzz_route_pattern": seeds_route_pattern,
    "fuzz_rule": seeds_rule,
    "fuzz_source_id": seeds_source_id,
    "fuzz_sql": plain("test_sql.c", "test_statement.c"),
    "fuzz_sqlite_db": seeds_sqlite_db,
    "fuzz_stack": seeds_stack,
    "fuzz_trace_context": seeds_trace_context,
    "fuzz_unwind_table": seeds_unwind_table,
    "fuzz_url": seeds_url,
    "fuzz_utf8": plain("test_base.c", "test_url.c"),
}
