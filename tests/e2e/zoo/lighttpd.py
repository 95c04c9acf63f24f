# SPDX-License-Identifier: Apache-2.0
"""lighttpd: one event loop in one process, and programs behind CGI."""
import signal

import lib
from zoo.server import CGI_PATH, CGI_SCRIPT, Server, split

CONFIG = """
server.modules = ( "mod_accesslog", "mod_cgi" )
server.document-root = "{dir}/www"
server.port = {port}
server.bind = "127.0.0.1"
server.pid-file = "{dir}/pid"
server.errorlog = "{dir}/error.log"
server.upload-dirs = ( "{dir}" )
mimetype.assign = ( "" => "application/octet-stream" )
server.max-keep-alive-requests = 1000000
server.listen-backlog = 1024
server.stream-response-body = 1
cgi.assign = ( ".sh" => "/bin/sh" )
accesslog.filename = "{dir}/access.log"
accesslog.format = "%r\\t%s\\t%D\\t%b\\t%I\\t%O"
"""

class Lighttpd(Server):
    comm = "lighttpd"
    chunked = post = CGI_PATH
    ending = signal.SIGINT

    def configure(self):
        self.write("www" + CGI_PATH, CGI_SCRIPT)
        self.write("lighttpd.conf", CONFIG.format(dir=self.dir, port=self.port))

    def command(self):
        return lib.tool("lighttpd", "lighttpd"), "-D", "-f", self.dir + "/lighttpd.conf"

    def parse(self, line):
        return split(line, 1e-6)
