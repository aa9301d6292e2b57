# SPDX-License-Identifier: GPL-2.0-or-later
"""What the campaign is played in: two namespaces, an instance of its own, a town of good sources,
and policies made at random. Knows the command line and the pins; judges nothing."""

import ipaddress
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

SERVER_V4, NOBODY = "10.77.0.2", "10.77.0.99"  # packets to the latter end silently behind XDP
BAD = "203.0.113.0/24"
BROAD = ["77.1.0.0/16", "77.2.0.0/16"]  # dropped, but for friends
FLOOD = "128.0.0.0/3"  # where random sources come from, and where good policies grow
LISTS = ["friends", "bad", "broad", "extra", "attack"]
HARM = ["broad", "extra"]  # lists that hit good sources or nobody
HITS_PER_SLOT, SLOTS = 4098, 4
GOOD_RATE = 3000


def command(*words, **more):
    return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, **more).stdout


class Town:
    """Four hundred good sources: neighbours, single ones, and friends inside a dropped network."""

    def __init__(self, rng):
        nets = [f"60.{rng.randrange(256)}.{i}" for i in range(10)]
        self.clustered = [f"{net}.{host}" for net in nets for host in rng.sample(range(1, 255), 15)]
        self.single = [f"61.{i}.{rng.randrange(256)}.{rng.randrange(1, 255)}" for i in range(150)]
        self.friends = [f"77.{1 + i % 2}.{i}.{rng.randrange(1, 255)}" for i in range(100)]
        self.good = self.clustered + self.single + self.friends


def random_row(rng, first):
    """A prefix where nobody good is."""
    address = int(ipaddress.ip_address(first)) + rng.getrandbits(29)
    if rng.random() < 0.2:
        return str(ipaddress.ip_network((0x20010DB8 << 96 | rng.getrandbits(96), 64), strict=False))
    return str(ipaddress.ip_network((address, rng.choice([24, 28, 32, 32, 32])), strict=False))


class Policy:
    def __init__(self, lists, canary):
        self.lists = {name: list(rows) for name, rows in lists.items()}
        self.canary, self.blind = canary, False

    @classmethod
    def base(cls, town, rng, canary):
        return cls({"friends": town.friends, "bad": [BAD] + rows(rng, "bad", 500), "broad": BROAD,
                    "extra": rows(rng, "extra", 300)}, canary)

    def mutated(self, rng):
        """As a feed changes from one day to the next: a few rows go, a few come."""
        other = Policy(self.lists, self.canary)
        for name in ("bad", "extra"):
            kept = [row for row in self.lists[name] if row == BAD or rng.random() > 0.1]
            new = set(rows(rng, name, rng.randrange(len(kept) // 6))) - set(kept)
            other.lists[name] = kept + sorted(new)
        return other

    def write(self, folder, name):
        """Its path. One list file for each list."""
        text = ["version: 1", "mode: enforce", f"canary: {self.canary}", "lists:"]
        if self.blind:
            text.insert(3, "gates: {newly_dropped: 100%, newly_dropped_sources: 100%, "
                           "newly_dropped_port: 100%}")
        for key in LISTS:
            if key not in self.lists:
                continue
            action = "allow" if key == "friends" else "drop"
            text.append(f"  - {{name: {key}, action: {action}, file: {name}.{key}}}")
            with open(f"{folder}/{name}.{key}", "w", encoding="ascii") as out:
                out.writelines(row + "\n" for row in self.lists[key])
        path = f"{folder}/{name}.yaml"
        with open(path, "w", encoding="ascii") as out:
            out.write("\n".join(text) + "\n")
        return path


def rows(rng, name, count):
    """Of list `bad` floods hit some by chance; of `extra` nobody hits any."""
    return sorted({random_row(rng, "128.0.0.0" if name == "bad" else "192.0.0.0")
                   for _ in range(count)} - {BAD})


class Rig:
    """Namespaces, instance, senders. Everything is gone when the `with` block ends."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.stanch = f"{self.build}/stanch"
        self.client, self.server = f"stk{os.getpid()}", f"stl{os.getpid()}"
        self.senders = []

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="stanch-campaign.")
        run = f"{self.folder}/run"
        os.mkdir(run)
        os.environ.update(STANCH_STATE_DIR=f"{self.folder}/state", STANCH_RUN_DIR=run,
                          STANCH_BPF_DIR=f"{run}/bpf")
        self.pins = f"{run}/bpf/default"
        self.audit = f"{self.folder}/state/default/audit.jsonl"
        try:
            self.make_link()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make_link(self):
        for name in (self.client, self.server):
            command("ip", "netns", "add", name)
            command("ip", "-n", name, "link", "set", "lo", "up")
        command("ip", "-n", self.client, "link", "add", "eth0", "type", "veth", "peer", "name",
                "eth0", "netns", self.server)
        for name, address in ((self.client, "10.77.0.1/24"), (self.server, SERVER_V4 + "/24")):
            command("ip", "-n", name, "address", "add", address, "dev", "eth0")
            command("ip", "-n", name, "link", "set", "eth0", "up")
        link = json.loads(command("ip", "-n", self.server, "-j", "link", "show", "eth0"))
        self.mac = link[0]["address"]
        command(self.stanch, "-q", "--netns", self.server, "attach", "eth0")

    def __exit__(self, *_):
        for sender in list(self.senders):
            self.stop(sender)
        subprocess.run([self.stanch, "-q", "detach", "--all", "--purge"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["umount", f"{self.folder}/run/bpf"], check=False,
                       stderr=subprocess.DEVNULL)
        for name in (self.client, self.server):
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- packets ----

    def send(self, rate, flows, seconds=100):
        """A sender of these flows (texts of `traffic send --flow`), until stop()."""
        words = ["nsenter", f"--net=/run/netns/{self.client}", f"{self.build}/tools/traffic",
                 "send", "--dev", "eth0", "--dst-mac", self.mac, "--rate", str(rate), "-j",
                 "--seconds", str(seconds), "--dst", NOBODY, "--dport", "443"]
        for flow in flows:
            words += ["--flow", flow]
        sender = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.senders.append(sender)
        return sender

    def stop(self, sender):
        """Packets sent, by flow."""
        self.senders.remove(sender)
        sender.send_signal(signal.SIGTERM)
        out, _ = sender.communicate(timeout=20)
        try:
            return {flow["name"]: int(flow["sent"]) for flow in json.loads(out)["flows"]}
        except (ValueError, KeyError):
            return {}

    # ---- what is live ----

    def look_up(self, pin, key):
        """The values of one key, each as bytes; one for each CPU where there are several."""
        out = json.loads(command("bpftool", "-j", "map", "lookup", "pinned", f"{self.pins}/{pin}",
                                 "key", *[str(byte) for byte in key.to_bytes(4, "little")]))
        values = [entry["value"] for entry in out["values"]] if "values" in out else [out["value"]]
        return [bytes(int(byte, 16) for byte in value) for value in values]

    def word(self):
        return int.from_bytes(self.look_up("control", 0)[0], "little")

    def on_trial(self, everybody):
        """Does a candidate judge anybody, or, if asked, everybody?"""
        word = self.word()
        return bool(word >> 6 & 1) and (not everybody or not word >> 10 & 1023)

    def harmed(self):
        """Packets dropped so far by lists that hit only good sources, in any generation."""
        total = 0
        for slot in range(SLOTS):
            for name in HARM:
                key = slot * HITS_PER_SLOT + LISTS.index(name) + 1
                total += sum(int.from_bytes(value[:8], "little")
                             for value in self.look_up("hits", key))
        return total

    # ---- the tool ----

    def apply(self, path, *options):
        """Exit code, the newest audit record, milliseconds."""
        begun = time.monotonic()
        done = subprocess.run([self.stanch, "-q", "-j", "apply", *options, path], check=False,
                              text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        with open(self.audit, encoding="utf-8") as log:
            record = json.loads(log.readlines()[-1])
        return done.returncode, record, int((time.monotonic() - begun) * 1000), done.stderr

    def naive(self, path, milliseconds):
        image = path.replace(".yaml", ".img")
        command(self.stanch, "-q", "compile", "-o", image, path)
        command(f"{self.build}/tests/bench/naive", image, str(milliseconds))


class Newcomers:
    """Sources that send from the moment on at which a condition holds; looked for in a thread."""

    def __init__(self, rig, rate, sources, condition):
        self.rig, self.rate, self.sources, self.condition = rig, rate, sources, condition
        self.sender, self.over = None, threading.Event()
        self.thread = threading.Thread(target=self.wait)

    def wait(self):
        while not self.over.wait(0.02):
            if self.condition():
                self.sender = self.rig.send(self.rate,
                                            [f"N:template=v4-ack,src-list={self.sources}"])
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.sender:
            self.rig.stop(self.sender)
