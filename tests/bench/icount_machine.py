# SPDX-License-Identifier: Apache-2.0
"""A machine in which an instruction takes exactly 2 ns: built, booted with a row and a workload, its figures read.

QEMU counts instructions (-icount shift=1) and skips idle time (sleep=off). Nothing else may differ between two runs: one
CPU, no network or disk, a clock that starts at a fixed date, no random numbers from the host, no address randomisation.
"""
import json
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
DIR = os.path.join(BUILD, "bench")
KERNEL = "6.1"
IMAGE = os.path.join(DIR, "initramfs")
BOOT_SECONDS = 900
NS_PER_INSTRUCTION = 2

QEMU = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=single",
        "-icount", "shift=1,sleep=off", "-cpu", "max,rdrand=off,rdseed=off", "-smp", "1",
        "-m", "1024", "-seed", "1", "-rtc", "base=2024-01-01T00:00:00,clock=vm",
        "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot"]
PARAMETERS = ("console=ttyS0 quiet loglevel=1 panic=-1 mitigations=off nokaslr norandmaps "
              "randomize_kstack_offset=off")


class Trouble(Exception):
    """A machine did not do what it should; the text says what."""


def kernel():
    """Path of the kernel's image; fetched when it is not there."""
    path = os.path.join(BUILD, "vm", "vmlinuz-" + KERNEL)
    if not os.path.exists(path):
        subprocess.run([os.path.join(ROOT, "tests/vm/fetch"), os.path.join(BUILD, "vm")],
                       check=True, stdout=subprocess.DEVNULL)
    return path


def build_image(plain=False):
    os.makedirs(DIR, exist_ok=True)
    subprocess.run([os.path.join(ROOT, "tests/bench/image"), *["--plain"] * plain, BUILD, IMAGE], check=True)


class Run:
    """What one machine told."""

    def __init__(self, row, workload, text):
        self.row, self.workload = row, workload
        self.phases = {}  # phase -> key -> number
        self.texts = {}  # key -> lines
        for line in text.splitlines():
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            if "phase" in said:
                self.phases.setdefault(said["phase"], {})[said["key"]] = said["value"]
            else:
                self.texts.setdefault(said["key"], []).append(said["text"])
        if self.texts.get("end") != ["ok"]:
            why = self.texts.get("error", []) + self.texts.get("observer", [])
            raise Trouble(f"{workload}, {row}: " + ("; ".join(why) or text[-500:]))

    def get(self, phase, key, default=None):
        return self.phases.get(phase, {}).get(key, default)

    def instructions(self, phase, key):
        """Of a CPU time; None when nobody there took any part."""
        ns = self.get(phase, key)
        return None if ns is None else ns / NS_PER_INSTRUCTION

    def search(self, key, pattern):
        """The numbers in the first line that matches, or None."""
        for line in self.texts.get(key, []):
            match = re.search(pattern, line)
            if match:
                return [int(group) for group in match.groups()]
        return None

    def metric(self, name, **labels):
        """Sum of a metric's series that have these labels."""
        total = 0
        for line in self.texts.get("metrics", []):
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(
                    f'{key}="{text}"' in series for key, text in labels.items()):
                total += float(value)
        return int(total)


def boot(row, workload, sample=False):
    """Run one machine to its end; what it told. Sampled ones are for where instructions go, not how many."""
    log = os.path.join(DIR, f"icount.{workload}.{row}{'.sample' * sample}.log")
    command = QEMU + ["-serial", "file:" + log, "-kernel", kernel(), "-initrd", IMAGE, "-append",
                      f"{PARAMETERS} icount.row={row} icount.workload={workload} "
                      f"icount.sample={'yes' if sample else 'no'}"]
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=BOOT_SECONDS)
    except subprocess.TimeoutExpired:
        raise Trouble(f"{workload}, {row}: not over after {BOOT_SECONDS} s, see {log}") from None
    except subprocess.CalledProcessError as error:
        raise Trouble(f"{workload}, {row}: QEMU ended with {error.returncode}") from None
    with open(log, encoding="utf-8", errors="replace") as f:
        return Run(row, workload, f.read())
