# SPDX-License-Identifier: Apache-2.0
"""Node.js: a request that makes a second call while its first is under way, and another request in between.

A request with a call in flight may make another one at any time, by a timer for instance: it remains a
candidate. The second call may be an orphan; it is not the child of the request in between.
"""
import threading
import time

import lib
import observer
from http_raw import Client
from lib import check, equal
from observer import one, tree

FRONT = """
'use strict';
const http = require('http'), [port, back] = process.argv.slice(2);
const call = (path, done) => http.get({host: '127.0.0.1', port: back, path, agent: false}, (reply) => {
    reply.resume();
    reply.on('end', done);
});
http.createServer((request, response) => {
    if (request.url !== '/two-calls')
        return setTimeout(() => response.end('none'), 500);
    let ended = 0;
    const done = () => ++ended === 2 && response.end('two');
    call('/first', done);
    setTimeout(() => call('/second', done), 200);
}).listen(+port, '127.0.0.1');
"""
BACK = """
'use strict';
require('http').createServer((request, response) => setTimeout(() => response.end('late'), 400))
    .listen(+process.argv[2], '127.0.0.1');
"""


def test_second_call_is_not_the_others(t):
    node, front, back = lib.tool("node", "nodejs"), lib.free_port(), lib.free_port()
    t.start(node, t.write("back.js", BACK), back)
    process = t.start(node, t.write("front.js", FRONT), front, back)
    lib.wait_for(lambda: lib.listens(front) and lib.listens(back), "both to listen")
    zerospan = observer.observe(t, "--pid", process.pid)
    other = threading.Thread(target=lambda: Client(front).get("/two-calls"), daemon=True)
    other.start()
    time.sleep(0.1)  # between the first call and the second: that is the case
    equal(Client(front).get("/none").status, 200, "answer")
    other.join(10)
    zerospan.wait_spans(4)
    spans = zerospan.finish()
    wrong = one(spans, "without calls", url__path="/none")
    check(not any(s.parent_id == wrong.span_id for s in spans),
          f"/none made no call, and has one:\n{tree(spans)}")
