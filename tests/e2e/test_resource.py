# SPDX-License-Identifier: Apache-2.0
"""Resources of observed processes: what their own environment, /proc and the configuration file say."""
import datetime
import os
import re
import subprocess
import tempfile

import lib
import observer
from http_raw import Client
from lib import check, equal, wait_for

RUNS_TOGETHER = True

OURS = {"OTEL_SERVICE_NAME": "the observer", "OTEL_RESOURCE_ATTRIBUTES": "leaked=1"}
FOUND = ("host.name", "host.arch", "os.type", "service.instance.id", "process.owner")


def serve(t, **variables):
    """A server with this environment and nothing else of OpenTelemetry's; its process and port."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    folder = tempfile.mkdtemp(dir=t.dir)
    port = lib.free_port()
    process = t.start(lib.PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1", cwd=folder,
                      env={**env, **variables})
    wait_for(lambda: lib.listens(port), "http.server to listen")
    return process, port


def ask(port):
    client = Client(port)
    check(client.get("/").status == 200, "no answer")
    client.close()


def resource_of(zerospan, port):
    ask(port)
    zerospan.wait_spans(1, server__port=port)
    return zerospan.spans(server__port=port)[0].resource


def expect(resource, **attrs):
    for key, value in attrs.items():
        equal(resource.get(key.replace("__", ".")), value, key)


def test_environment_of_the_observed(t):
    """Its variables, its facts in /proc; of the observer's environment nothing. A replay says the same."""
    server, port = serve(t, OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES=(
        "service.name=other,service.namespace=store,service.version=1.2,team=a%2Cb,process.pid=1"))
    plain, plain_port = serve(t)
    zerospan = observer.observe(t, "--record", t.path("rec"), "--pid", server.pid, "--pid", plain.pid,
                                env=OURS)
    resource = resource_of(zerospan, port)
    executable = os.readlink(f"/proc/{server.pid}/exe")
    expect(resource, service__name="shop", service__namespace="store", service__version="1.2", team="a,b",
           process__pid=server.pid, process__executable__path=executable, process__command=lib.PYTHON,
           process__executable__name=os.path.basename(executable), leaked=None, os__type="linux",
           host__name=os.uname().nodename, process__owner="root", process__command_args=None)
    created = datetime.datetime.fromisoformat(resource["process.creation.time"].replace("Z", "+00:00"))
    age = datetime.datetime.now(datetime.timezone.utc) - created
    check(0 <= age.total_seconds() < 60, f"created at {created}")
    other = resource_of(zerospan, plain_port)
    expect(other, service__name=f"unknown_service:{os.path.basename(executable)}", service__version=None,
           leaked=None, process__pid=plain.pid)
    check(other["service.instance.id"] != resource["service.instance.id"], "the same instance twice")
    zerospan.finish()
    done = subprocess.run([lib.built("zerospan"), "replay", "-q", "--format", "otlp-json", t.path("rec")],
                          capture_output=True, text=True, check=False, timeout=30,
                          env={**os.environ, **OURS})
    equal(done.stdout, zerospan.out, f"the replay; {done.stderr}")


def test_wrong_variable(t):
    """All of it is discarded, and said once, for however many processes."""
    first, port = serve(t, OTEL_RESOURCE_ATTRIBUTES="service.version=1,b=%zz", OTEL_SERVICE_NAME="shop")
    second, _ = serve(t, OTEL_RESOURCE_ATTRIBUTES="service.version=1,b")
    zerospan = observer.observe(t, "--pid", first.pid, "--pid", second.pid)
    expect(resource_of(zerospan, port), service__name="shop", service__version=None, b=None)
    zerospan.finish()
    equal(re.findall(r"warning: OTEL_RESOURCE_ATTRIBUTES of pid (\d+) is not used.*\n", zerospan.err),
          [str(first.pid)], "warnings")


def test_target_info(t):
    """The configuration file comes first; all of it are labels."""
    server, port = serve(t, OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES="service.version=1,team=a")
    config = t.write("config.yaml", "resource:\n  service.name: configured\n"
                                    "  deployment.environment.name: test\n")
    zerospan = observer.observe_run(t, "--config", config, "--pid", server.pid)
    ask(port)

    def labels():
        return [have for have, _ in zerospan.metrics().select("target_info", job="configured")]

    wait_for(labels, "target_info")
    info, = labels()
    expect(info, service_version="1", team="a", deployment_environment_name="test",
           process_pid=str(server.pid), os_type="linux")
    for key in FOUND:
        name = key.replace(".", "_")
        check(info.get("instance" if key == "service.instance.id" else name), f"no {name} in {info}")
    equal(zerospan.stop(), 0, "exit status")


def test_command(t):
    """What `--` starts has the observer's environment; it is told anew when it runs another program."""
    port = lib.free_port()
    server = f"exec {lib.PYTHON} -m http.server {port} --bind 127.0.0.1 >/dev/null"
    zerospan = observer.observe(t, program=("/bin/sh", "-c", server), env={"OTEL_SERVICE_NAME": "started"},
                                cwd=t.path("."))
    wait_for(lambda: lib.listens(port), "http.server to listen")
    expect(resource_of(zerospan, port), service__name="started", process__command=lib.PYTHON,
           process__executable__name=os.path.basename(os.path.realpath(lib.PYTHON)))
    zerospan.stop()
