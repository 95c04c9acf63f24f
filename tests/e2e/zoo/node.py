# SPDX-License-Identifier: Apache-2.0
"""Node.js: one event loop, files read by a pool of threads. It has no access log of its own: the script
writes one line when an answer is finished or cut, as the usual middleware does."""
import lib
from zoo.server import Server, split

SCRIPT = """
'use strict';
const fs = require('fs'), http = require('http'), path = require('path');
const [port, root, back] = process.argv.slice(2);
const log = fs.createWriteStream('access.log');
const agent = new http.Agent({keepAlive: true});

function answer(request, response) {
    const name = request.url.split('?')[0];
    if (back) {
        const call = http.request({host: '127.0.0.1', port: back, path: request.url, agent,
                                   method: request.method}, (reply) => {
            response.writeHead(reply.statusCode, {'Content-Length': reply.headers['content-length']});
            reply.pipe(response);
        });
        request.pipe(call);
    } else if (name === '/post' || name === '/lines') {
        request.resume();
        request.on('end', () => {
            response.write('first\\n');
            setImmediate(() => response.end('last\\n'));
        });
    } else {
        fs.stat(path.join(root, name), (error, found) => {
            request.resume();
            response.writeHead(error ? 404 : 200, {'Content-Length': error ? 0 : found.size});
            if (error || request.method === 'HEAD')
                response.end();
            else
                fs.createReadStream(path.join(root, name)).pipe(response);
        });
    }
}

http.createServer((request, response) => {
    const begin = process.hrtime.bigint();
    response.on('close', () => log.write([
        `${request.method} ${request.url} HTTP/1.1`, response.statusCode,
        process.hrtime.bigint() - begin].join('\\t') + '\\n'));
    answer(request, response);
}).listen({port: +port, host: '127.0.0.1', backlog: 1024});
process.on('SIGTERM', () => log.end(() => process.exit(0)));
"""


class Node(Server):
    comm = "node"
    post = "/post"
    chunked = "/lines"
    dates_files = ranges = counts_all_bytes = False
    back = ""

    def configure(self):
        self.write("server.js", SCRIPT)

    def command(self):
        return lib.tool("node", "nodejs"), self.dir + "/server.js", self.port, self.root, self.back

    def parse(self, line):
        return split(line, 1e-9)


class NodeProxy(Node):
    def __init__(self, test, back, name="front"):
        self.back = back.port
        super().__init__(test, name)
