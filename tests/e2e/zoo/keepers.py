# SPDX-License-Identifier: Apache-2.0
"""The animals by name, and tests made from a table of them."""
import lib
from zoo.apache import ApacheEvent, ApachePrefork
from zoo.haproxy import Haproxy
from zoo.lighttpd import Lighttpd
from zoo.nginx_server import Nginx, NginxKeepaliveProxy
from zoo.node import Node
from zoo.php import Php
from zoo.python_http import PythonHttp

SERVERS = {
    "nginx": Nginx,
    "nginx_proxy": lambda test: NginxKeepaliveProxy(test, Nginx(test, "back")),
    "apache_prefork": ApachePrefork,
    "apache_event": ApacheEvent,
    "lighttpd": Lighttpd,
    "haproxy": lambda test: Haproxy(test, Nginx(test, "back")),
    "python": PythonHttp,
    "node": Node,
    "php": Php,
}


def add_test(tests, name, function, *args, seconds=60):
    """Put test_NAME(t) into a module's globals: function(t, *args), in the order of the calls."""
    @lib.deadline(seconds)
    def test(t):
        function(t, *args)

    test.__name__ = f"test_{name}"
    test.order = len(tests)
    tests[test.__name__] = test
