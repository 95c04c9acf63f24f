# SPDX-License-Identifier: Apache-2.0
"""Apache httpd: processes that serve a connection each, or threads behind a listener with an event loop."""
import os

import lib
from zoo.server import CGI_PATH, CGI_SCRIPT, Server, split

CONFIG = """
ServerRoot {dir}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {dir}/pid
ErrorLog {dir}/error.log
{user}
LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule cgi_module {modules}/mod_cgi.so
{tuning}
ListenBacklog 1024
KeepAlive On
MaxKeepAliveRequests 0
EnableSendfile On
DocumentRoot {dir}/www
LogFormat "%r\\t%>s\\t%D\\t%B\\t%I\\t%O" line
CustomLog {dir}/access.log line
<Files "*.sh">
    Options +ExecCGI
    SetHandler cgi-script
</Files>
"""


class Apache(Server):
    comm = "apache2"
    chunked = post = CGI_PATH
    # mod_logio: the byte that is peeked at to learn whether another request waits
    counts_twice = 1
    mpm = tuning = ""

    def configure(self):
        self.write("www" + CGI_PATH, CGI_SCRIPT, 0o755)
        user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
        self.write("apache.conf", CONFIG.format(
            dir=self.dir, port=self.port, mpm=self.mpm, user=user, tuning=self.tuning,
            modules="/usr/lib/apache2/modules"))

    def command(self):
        return (lib.tool("apache2", "apache2-bin"), "-D", "FOREGROUND", "-f", self.dir + "/apache.conf")

    def ready(self):
        return super().ready() and len(lib.children(self.pid)) > 0

    def parse(self, line):
        return split(line, 1e-6)


# Enough for the load: one that is short of workers closes connections early.


class ApachePrefork(Apache):
    mpm = "prefork"
    tuning = "StartServers 72\nServerLimit 72\nMaxSpareServers 72\nMaxRequestWorkers 72"


class ApacheEvent(Apache):
    mpm = "event"
    closes_when_busy = True
    tuning = "StartServers 2\nThreadsPerChild 48\nMaxRequestWorkers 96"
