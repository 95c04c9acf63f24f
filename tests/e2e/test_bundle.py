# SPDX-License-Identifier: Apache-2.0
"""The bundle needs nothing of its host but the kernel, and lies wherever it was unpacked."""
import os
import ssl
import subprocess

import bundle
import lib
import observer
from lib import check, equal, wait_for
from otlp import Receiver
from shop import Shop, order

BUNDLE_BYTES = 15_000_000
PROGRAM_BYTES = 3_000_000
FLUSH_S = 15.0


def buy(shop, times=1):
    client = shop.client()
    for _ in range(times):
        equal(client.post_json("/checkout", order()).status, 200, "checkout")


def expect_content(t, directory, packed):
    size, program = bundle.size_of(directory), os.path.getsize(directory + "/lib/zerospan")
    t.note(f"{size / 1e6:.1f} MB, {packed / 1e6:.1f} MB packed, the program {program / 1e6:.2f} MB")
    check(size <= BUNDLE_BYTES, f"the bundle has {size} bytes")
    check(program <= PROGRAM_BYTES, f"the program has {program} bytes")
    with open(directory + "/licences/PACKAGES", encoding="ascii") as f:
        packages = [line.split()[0] for line in f]
    check(len(packages) > 10, f"licences are there of {packages}")
    for package in ["zerospan", *packages]:
        path = f"{directory}/licences/{package}.copyright"
        check(os.path.exists(path) or os.path.exists(path + ".gz"), f"no licence of {package}")


def test_content(t):
    expect_content(t, bundle.unpack(t.path("there")), os.path.getsize(bundle.tarball()))


def test_content_for_arm64(t):
    """Whole, too; emulated, its loader has to be started by hand."""
    if os.uname().machine == "aarch64":
        raise lib.Skip("this machine is one")
    emulator = lib.tool("qemu-aarch64", "qemu-user")
    tarball = bundle.tarball("arm64/bundle", "aarch64")
    directory = bundle.unpack(t.path("there"), tarball)
    expect_content(t, directory, os.path.getsize(tarball))
    process = t.run(emulator, directory + "/lib/ld-linux-aarch64.so.1", "--inhibit-cache",
                    directory + "/lib/zerospan", "--version")
    equal((process.status, process.err), (0, ""), "--version")
    launcher = t.run(emulator, "-strace", directory + "/zerospan", "--version")
    check('"--argv0",' in launcher.err and '"--version",' in launcher.err,
          f"what the launcher executes: {launcher.err}")


# --- a host that has nothing


def test_empty_host_runs_it(t):
    host = bundle.Host(t)
    equal(sorted(os.listdir(host.root)), ["dev", "opt", "proc", "sys", "tmp"], "the root")
    version = host.run("--version")
    equal((version.status, version.err), (0, ""), "--version")
    check(version.out.startswith("zerospan "), version.out)
    report = host.run("check")
    equal(report.status, 0, f"check: {report.out}")
    wrong = host.run("--no-such-option")
    equal(wrong.status, 2, "exit status of wrong usage")


def test_empty_host_traces(t):
    shop = Shop(t)
    host = bundle.Host(t)
    zerospan = host.start("trace", "--pid", shop.pid, "--format", "otlp-json")
    zerospan.wait_ready()
    foreign, mapped = bundle.foreign(zerospan.pid, host.directory)
    equal(foreign, [], "mapped from outside the bundle")
    check({"zerospan", "libc.so.6", "libbpf.so.1"} <= mapped, f"mapped from the bundle: {mapped}")
    with open(f"/proc/{zerospan.pid}/comm", encoding="ascii") as f:
        equal(f.read(), "zerospan\n", "name of the process")
    buy(shop, 3)
    zerospan.wait_spans(3, url__path="/checkout")
    equal(zerospan.stop(), 0, f"exit status: {zerospan.err}")
    equal(len(zerospan.spans(url__path="/checkout")), 3, "checkouts seen")
    equal(zerospan.summary().lost, 0, "lost")


# --- any directory, any way to start it


def test_path_and_links(t):
    directory = bundle.unpack(t.path("a b:c/$LIB ü"))
    program = directory + "/zerospan"
    os.symlink(directory, t.path("link"))
    os.symlink(t.path("link") + "/zerospan", t.path("zs"))
    there = dict(cwd=directory)
    for argv, how in ((["./zerospan"], there), ([t.path("zs")], {}), (["link/zerospan"], dict(cwd=t.dir)),
                      ([program], dict(env={"LD_LIBRARY_PATH": "/lib:/usr/lib"})),
                      (["sh", "-c", "PATH=.; exec zerospan \"$@\"", "-"], there)):
        process = t.run(*argv, "--version", **how)
        equal((process.status, process.err), (0, ""), f"{argv}")
    # Nothing that was put in between may reach the command that is started.
    env = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    process = t.run(t.path("zs"), "trace", "--format", "none", "--output", "/dev/null", "--",
                    "sh", "-c", "env -0; exit 7", env=env)
    equal(process.status, 7, "exit status of the command")
    got = {line.split("=", 1)[0] for line in process.out.split("\0") if "=" in line}
    equal(got - set(env) - {"_", "PWD", "SHLVL", "OLDPWD"}, set(), "added to the environment")


def test_signals_reach_it(t):
    """It is one process: what is sent to the pid that was started arrives."""
    shop = Shop(t)
    program = bundle.unpack(t.path("there")) + "/zerospan"
    zerospan = t.start(program, "trace", "--pid", shop.pid, "--format", "otlp-json",
                       kind=observer.Zerospan)
    zerospan.wait_ready()
    equal(lib.children(zerospan.pid), [], "children")
    buy(shop)
    zerospan.wait_spans(1, url__path="/checkout")
    zerospan.finish()


def test_says_what_is_missing(t):
    directory = bundle.unpack(t.path("there"))
    for name in sorted(os.listdir(directory + "/lib")):
        path = f"{directory}/lib/{name}"
        os.rename(path, path + ".away")
        process = t.run(directory + "/zerospan", "--version")
        equal(process.status, 1, f"exit status without {name}")
        check(f'"{path}": it is not there' in process.err, process.err)
        os.rename(path + ".away", path)


# --- OTLP from an empty host


def expect_export(t, host, shop, receiver, **env):
    """One checkout from this host to the receiver; its spans must arrive."""
    before = len(receiver.spans())
    zerospan = host.start("run", "--pid", shop.pid, "--format", "none", "--listen", "127.0.0.1:0",
                          env=env)
    zerospan.wait_ready()
    buy(shop)
    wait_for(lambda: len(receiver.spans()) >= before + 7,
             lambda: f"spans at {env}: {zerospan.err}", FLUSH_S)
    foreign, _ = bundle.foreign(zerospan.pid, host.directory)
    equal(foreign, [], "mapped from outside the bundle")
    equal(zerospan.stop(), 0, "exit status")


def test_exports_by_name(t):
    shop, host, receiver = Shop(t), bundle.Host(t), Receiver(t)
    # What a host's own C library would load for this lies nowhere; here it must not even be asked for.
    host.write("/etc/nsswitch.conf", "hosts: resolve mymachines\npasswd: systemd\n")
    expect_export(t, host, shop, receiver,
                  OTEL_EXPORTER_OTLP_ENDPOINT=f"http://localhost:{receiver.port}")
    host.write("/etc/hosts", "127.0.0.1 collector.test\n")
    expect_export(t, host, shop, receiver,
                  OTEL_EXPORTER_OTLP_ENDPOINT=f"http://collector.test:{receiver.port}")
    server = bundle.NameServer(t, "backend.test")
    host.write("/etc/resolv.conf", f"nameserver {server.ADDRESS}\n")
    expect_export(t, host, shop, receiver,
                  OTEL_EXPORTER_OTLP_ENDPOINT=f"http://backend.test:{receiver.port}")
    check(server.asked > 0, "the name server was not asked")


def test_exports_with_tls(t):
    openssl = lib.tool("openssl", "openssl")
    shop, host = Shop(t), bundle.Host(t)
    key, certificate = t.path("key.pem"), t.path("certificate.pem")
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=zerospan test", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    receiver = Receiver(t, tls=tls)
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://localhost:{receiver.port}"}
    with open(certificate, encoding="ascii") as f:
        authority = f.read()

    # Nobody is trusted on this host yet.
    zerospan = host.start("run", "--pid", shop.pid, "--format", "none", "--listen", "127.0.0.1:0",
                          env=endpoint)
    zerospan.wait_ready()
    buy(shop)
    wait_for(lambda: "certificate" in zerospan.err or "CA cert" in zerospan.err,
             lambda: f"a word about the certificate: {zerospan.err}", FLUSH_S)
    zerospan.stop()
    equal(receiver.spans(), [], "spans sent to somebody not trusted")

    mine = host.write("/tmp/authority.pem", authority)
    expect_export(t, host, shop, receiver, **endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE=mine)
    expect_export(t, host, shop, receiver, **endpoint, SSL_CERT_FILE=mine)
    host.write("/etc/pki/tls/certs/ca-bundle.crt", authority)
    expect_export(t, host, shop, receiver, **endpoint)
