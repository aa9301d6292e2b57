# SPDX-License-Identifier: GPL-2.0-or-later
"""What the soak is played in: the campaign's rig with a second interface, a small disk for the
state, three flows and an exact count behind the filter, and the ids of every kernel object of ours
that was ever seen. Knows pins and the traffic generator; judges nothing."""

import glob
import json
import os
import re
import signal
import subprocess

from campaign_town import Rig, command

PROTECTED, GOOD, BAD = "192.0.2.10", "198.18.0.0/26", "203.0.113.66"
FLOWS = ["P", "G", "B"]
SPARE = "eth1"
DISK = "24m"
KINDS = ["map", "prog", "link"]


def slab_kb():
    """Kernel memory in slabs, of the whole machine."""
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        return int(re.search(r"^Slab:\s+(\d+)", meminfo.read(), re.M).group(1))


class SoakRig(Rig):
    def __init__(self, build, rate, seconds):
        super().__init__(build)
        self.rate, self.seconds = rate, seconds
        self.counter = self.arrivals = None
        self.seen = {kind: set() for kind in KINDS}

    def make_link(self):
        os.mkdir(f"{self.folder}/state")
        command("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", f"{self.folder}/state")
        super().make_link()
        self.make_spare()

    def make_spare(self):
        command("ip", "-n", self.client, "link", "add", SPARE, "type", "veth", "peer", "name",
                SPARE, "netns", self.server)
        for name in (self.client, self.server):
            command("ip", "-n", name, "link", "set", SPARE, "up")

    def __exit__(self, *words):
        if self.counter:
            self.counter.kill()
            self.counter.wait()
        subprocess.run(["umount", "-l", f"{self.folder}/state"], check=False,
                       stderr=subprocess.DEVNULL)
        super().__exit__(*words)

    # ---- flows ----

    def start_flows(self):
        """The count is the tc program behind the filter; packets end there."""
        self.counter = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.server}", f"{self.build}/tools/traffic", "count",
             "--dev", "eth0", "--tc", "--seconds", str(self.seconds), "-j"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if "ready" not in self.counter.stderr.readline():
            raise RuntimeError("nothing counts what arrives")
        self.arrivals = self.map_of(self.counter.pid, "arrivals")
        self.flows = self.send(self.rate, [f"P:src={PROTECTED}", f"G:src={GOOD}", f"B:src={BAD}"],
                               seconds=self.seconds)

    @staticmethod
    def map_of(pid, name):
        """Id of the map of that name that the process holds."""
        for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
            with open(path, encoding="ascii") as info:
                found = re.search(r"^map_id:\s+(\d+)", info.read(), re.M)
            if not found:
                continue
            shape = json.loads(command("bpftool", "-j", "map", "show", "id", found.group(1)))
            if shape.get("name") == name:
                return found.group(1)
        raise RuntimeError(f"no map {name}")

    def arrived(self):
        """Packets behind the filter so far, by flow."""
        dump = json.loads(command("bpftool", "-j", "map", "dump", "id", self.arrivals))
        return {FLOWS[i]: sum(int.from_bytes(bytes(int(byte, 16) for byte in cpu["value"][:8]),
                                             "little") for cpu in dump[i]["values"])
                for i in range(len(FLOWS))}

    def stop_flows(self):
        """Sent and arrived, by flow."""
        sent = self.stop(self.flows)
        self.counter.send_signal(signal.SIGTERM)
        out, _ = self.counter.communicate(timeout=20)
        self.counter = None
        arrived = {FLOWS[int(flow["flow"])]: int(flow["packets"])
                   for flow in json.loads(out)["flows"]}
        return sent, {name: arrived.get(name, 0) for name in FLOWS}

    # ---- kernel objects ----

    def note_objects(self):
        """Ids of what is pinned below our folder; returns the memory of the maps in bytes."""
        memory = 0
        for path in glob.glob(f"{self.pins}/*"):
            name = os.path.basename(path)
            kind = "prog" if name.startswith("prog-") else \
                "link" if name.startswith(("link-", "mark-")) else "map"
            done = subprocess.run(["bpftool", "-j", kind, "show", "pinned", path], check=False,
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            shape = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else {}
            if "id" in shape:
                self.seen[kind].add(int(shape["id"]))
                memory += int(shape.get("bytes_memlock", 0))
        return memory

    def left_objects(self):
        """Of all that was ever seen, what the kernel still has."""
        left = []
        for kind, ids in self.seen.items():
            shown = json.loads(command("bpftool", "-j", kind, "show"))
            here = {int(entry["id"]) for entry in shown}
            left += [f"{kind} {number}" for number in sorted(ids & here)]
        return left

    def everywhere(self):
        """Objects of the whole machine, ours and others'."""
        return {kind: len(json.loads(command("bpftool", "-j", kind, "show"))) for kind in KINDS}

    # ---- files ----

    def left_files(self):
        """In the state and run folders, what is no file that a store may have."""
        known = re.compile(r"(images/[0-9a-f]{64}\.img|policies/[0-9a-f]{64}\.yaml|audit\.jsonl|"
                           r"audit\.lock|audit\.torn|totals\.json|live|good-[123]|quarantine\.json|"
                           r"sources\.json|switches\.json|overrides\.json|disputed\.pcap)$")
        root = f"{self.folder}/state/default"
        paths = [os.path.relpath(path, root) for path in glob.glob(f"{root}/**", recursive=True)
                 if os.path.isfile(path)]
        strange = [path for path in paths if not known.match(path)]
        run = [name for name in os.listdir(f"{self.folder}/run")
               if name not in ("bpf", "default.lock")]
        return strange + run

    def images(self):
        return glob.glob(f"{self.folder}/state/default/images/*.img")

    def fill_disk(self):
        """Not a byte is left. Returns the file that fills it."""
        path = f"{self.folder}/state/filler"
        with open(path, "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        return path

