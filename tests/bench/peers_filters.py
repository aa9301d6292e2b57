# SPDX-License-Identifier: GPL-2.0-or-later
"""The filters that are measured beside each other, each with the same list in its own words: how it
is put in force in a lane, how many packets it says it dropped, how it goes, and what it cannot do.
Every peer is set up the way that is fastest for it."""

import contextlib
import glob
import json
import os
import shutil
import socket
import struct
import subprocess

from peers_rig import command, in_net

HOSTS, NETS = (0x20000000, 26, 0), (0x60000000, 20, 8)  # 32.0.0.0/6 and, as /24, 96.0.0.0/4
MIXED_FROM = 100000  # rows; below, all are single addresses, which is all that xdp-filter takes
NETS_ONE_IN = 10
XDP_FILTER_MOST = 10000


def scatter(number, bits):
    """As tools/bpf/traffic_abi.h has it."""
    mask = (1 << bits) - 1
    for factor in (0x9e3779b1, 0x85ebca6b):
        number = number * factor & mask
        number ^= number >> (bits + 1) // 2
    return number


def split(size):
    """How many rows of a list are addresses, and how many networks."""
    nets = size // NETS_ONE_IN if size >= MIXED_FROM else 0
    return size - nets, nets


def rows(size):
    for (base, bits, shift), count in zip((HOSTS, NETS), split(size)):
        for number in range(count):
            value = base + (scatter(number, bits) << shift)
            text = f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
            yield f"{text}/24" if shift else text


def sources(size, spread):
    """Flows of up to 10,000 listed sources in turn, or of the whole list."""
    hosts, nets = split(size)
    if not spread:
        hosts, nets = min(hosts, 10000), 0
    flows = [f"hosts:src=scatter:{hosts}:32.0.0.0/6:32,share={NETS_ONE_IN - 1 if nets else 1}"]
    return flows + ([f"nets:src=scatter:{nets}:96.0.0.0/4:24"] if nets else [])


class Lists:
    """The same rows for every tool, each written once."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, kind, size):
        path = f"{self.folder}/{kind}.{size}"
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii") as out:
                out.writelines(getattr(self, kind)(size))
        return path

    @staticmethod
    def plain(size):
        return (f"{row}\n" for row in rows(size))

    @staticmethod
    def nft(size):
        yield "table netdev t {\n\tset s {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
        yield "\t\telements = {\n"
        yield from (f"{row},\n" for row in rows(size))
        yield "\t\t}\n\t}\n}\n"

    @staticmethod
    def ipset(size):
        yield f"create s hash:net maxelem {size} hashsize {max(1024, size // 4)}\n"
        yield from (f"add s {row}\n" for row in rows(size))

    @staticmethod
    def routes(size):
        return (f"route add blackhole {row}\n" for row in rows(size))

    @staticmethod
    def commands(size):
        return (f"xdp-filter ip {row} -m src || exit\n" for row in rows(size))


class Filter:
    """One way to judge packets in a lane. The base class is no filter at all."""

    name, needs = "no filter", ()

    def __init__(self, rig, lists, size=0):
        self.rig, self.lists, self.size = rig, lists, size

    def __str__(self):
        return f"{self.name}, {self.size}" if self.size else self.name

    def cannot(self):
        """Why it cannot hold this list here; nothing when it can."""
        for tool in self.needs:
            if not shutil.which(tool):
                return f"{tool} is not installed"
        return ""

    def files(self):
        """What is written before the clock runs."""

    def ready(self, lane):
        """What has to be there before a list is put in force."""

    def load(self, lane):
        """The list in force."""

    def dropped(self, lane):
        """Packets, as the filter itself counts them."""
        return 0

    def memory(self, lane):
        """Bytes of its maps as BPF accounts for them; nothing where there are none."""

    def unload(self, lane):
        """Nothing of it is left."""


def memlock(pins, run=command):
    total = 0
    for pin in pins:
        with contextlib.suppress(RuntimeError, KeyError, ValueError):
            total += json.loads(run("bpftool", "-j", "map", "show", "pinned", pin))["bytes_memlock"]
    return total


def per_cpu(text, size=8):
    """The sum over all CPUs of a number in the values of an entry that `bpftool -j` shows."""
    entry = json.loads(text)
    values = [bytes(int(byte, 16) for byte in one["value"]) for one in entry["values"]]
    return sum(int.from_bytes(value[:size], "little") for value in values)


class Bare(Filter):
    """A program that counts and drops everything."""

    name, program, needs = "bare counting drop", "counting_drop", ("bpftool",)

    def load(self, lane):
        lane.run("bpftool", "prog", "loadall", f"{self.rig.build}/tests/bench/bare.bpf.o",
                 "/sys/fs/bpf/bare", "type", "xdp", "pinmaps", "/sys/fs/bpf/maps")
        lane.run("bpftool", "net", "attach", "xdpdrv", "pinned",
                 f"/sys/fs/bpf/bare/{self.program}", "dev", lane.dev)

    def dropped(self, lane):
        return per_cpu(lane.run("bpftool", "-j", "map", "lookup", "pinned",
                                "/sys/fs/bpf/maps/dropped", "key", "0", "0", "0", "0"))


class BarePass(Bare):
    name, program = "bare pass", "empty"


class Stanch(Filter):
    name = "stanch"
    mode = "enforce"
    more = ""  # further keys of its policy

    def words(self, lane, *words):
        return [self.rig.stanch, "-q", "--instance", f"lane{lane.number}", *words]

    def files(self):
        self.lists.path("plain", self.size)
        self.policy = f"{self.rig.folder}/{self.name.replace(' ', '-')}.{self.size}.yaml"
        with open(self.policy, "w", encoding="ascii") as out:
            out.write(f"version: 1\nmode: {self.mode}\n{self.more}lists:\n"
                      f"  - {{name: bad, action: drop, file: plain.{self.size}}}\n")

    def cannot(self):
        self.files()
        done = subprocess.run([self.rig.stanch, "-q", "check", self.policy], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.strip().split("\n")[0] if done.returncode else ""

    def ready(self, lane):
        command(*self.words(lane, "--netns", lane.net, "attach", lane.dev))

    def load(self, lane):
        command(*self.words(lane, "apply", "--now", self.policy))

    def dropped(self, lane):
        table = json.loads(command(*self.words(lane, "-j", "stats", "--by", "reason")))
        return sum(int(row["packets"]) for row in table["rows"] if row["name"] == "list_drop")

    def memory(self, lane):
        pins = glob.glob(f"{os.environ['STANCH_BPF_DIR']}/lane{lane.number}/**", recursive=True)
        return memlock(pin for pin in pins if os.path.isfile(pin))

    def unload(self, lane):
        command(*self.words(lane, "detach", "--all", "--purge"))


class StanchSources(Stanch):
    """The same, keeping state about every source, where this version can."""

    name, more = "stanch with sources", "sources: true\n"


class XdpFilter(Filter):
    name, needs = "xdp-filter", ("xdp-filter", "bpftool")

    def cannot(self):
        if self.size > XDP_FILTER_MOST:
            return f"it holds {XDP_FILTER_MOST} addresses, and no prefixes"
        return super().cannot()

    def files(self):
        self.lists.path("commands", self.size)

    def ready(self, lane):
        lane.run("xdp-filter", "load", lane.dev, "-p", "allow")

    def load(self, lane):
        lane.run("sh", self.lists.path("commands", self.size))

    def fill(self, lane):
        """The same entries as load() makes, in one go: for lists that are not timed."""
        lane.run("xdp-filter", "ip", next(rows(1)), "-m", "src")
        entry = json.loads(lane.run("bpftool", "-j", "map", "dump", "pinned",
                                    "/sys/fs/bpf/xdp-filter/filter_ipv4"))[0]
        value = " ".join(str(int(byte, 16)) for byte in entry["values"][0]["value"])
        batch = f"{self.rig.folder}/batch.{self.size}"
        with open(batch, "w", encoding="ascii") as out:
            out.writelines(f"map update pinned /sys/fs/bpf/xdp-filter/filter_ipv4 key "
                           f"{row.replace('.', ' ')} value {value}\n" for row in rows(self.size))
        lane.run("bpftool", "batch", "file", batch)

    def dropped(self, lane):
        return per_cpu(lane.run("bpftool", "-j", "map", "lookup", "pinned",
                                "/sys/fs/bpf/xdp-filter/xdp_stats_map", "key", "1", "0", "0", "0"))

    def memory(self, lane):
        found = lane.run("find", "/sys/fs/bpf/xdp-filter", "-maxdepth", "1", "-type", "f").split()
        return memlock(found, lane.run)

    def unload(self, lane):
        lane.run("xdp-filter", "unload", lane.dev)


NFT_RULE = """include "{path}"
table netdev t {{
	counter dropped {{ }}
	chain c {{
		type filter hook ingress device {dev} priority 0
		ip saddr @s counter name dropped drop
	}}
}}
"""
NETLINK_NETFILTER = 12
GET_COUNTER = (10 << 8 | 19, 1, 5)  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETOBJ; NLM_F_REQUEST; netdev


def attribute(kind, value):
    return struct.pack("HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def attributes(data):
    """{kind: bytes} of netlink attributes."""
    found, at = {}, 0
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("HH", data, at)
        if size < 4:
            break
        found[kind & 0x3fff] = data[at + 4:at + size]
        at += size + 3 & ~3
    return found


def nft_counter(lane, table, name):
    """
    Packets of a named counter, asked of the kernel: nft reads every set of the table whatever it
    is asked, which takes it many seconds for a million rows.
    """
    kind, flags, family = GET_COUNTER
    body = struct.pack("BBH", family, 0, 0) + attribute(1, table.encode() + b"\0") + attribute(
        2, name.encode() + b"\0") + attribute(3, struct.pack(">I", 1))
    with in_net(f"/run/netns/{lane.net}"), socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as link:
        link.settimeout(10)
        link.send(struct.pack("IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        answer = link.recv(65536)
    data = attributes(answer[20:]).get(4)
    if struct.unpack_from("IH", answer)[1] == 2 or not data:
        raise RuntimeError(f"nftables has no counter {name}")
    return struct.unpack(">Q", attributes(data)[2])[0]


class Nftables(Filter):
    """A set of intervals in the earliest hook there is, before the host looks at the packet."""

    name, needs = "nftables set", ("nft",)

    def files(self):
        self.lists.path("nft", self.size)

    def load(self, lane):
        path = f"{self.rig.folder}/{lane.dev}.nft"
        with open(path, "w", encoding="ascii") as out:
            out.write(NFT_RULE.format(path=self.lists.path("nft", self.size), dev=lane.dev))
        lane.run("nft", "-f", path)

    def dropped(self, lane):
        return nft_counter(lane, "t", "dropped")

    def unload(self, lane):
        lane.run("nft", "delete", "table", "netdev", "t")


class Ipset(Filter):
    """hash:net from the raw table, before connections are looked at."""

    name, needs = "iptables + ipset", ("iptables", "ipset")

    def files(self):
        self.lists.path("ipset", self.size)

    def load(self, lane):
        lane.run("ipset", "restore", "-f", self.lists.path("ipset", self.size))
        lane.run("iptables", "-w", "-t", "raw", "-A", "PREROUTING", "-m", "set", "--match-set", "s",
                 "src", "-j", "DROP")

    def dropped(self, lane):
        lines = lane.run("iptables", "-w", "-t", "raw", "-nvxL", "PREROUTING").splitlines()
        return int(lines[2].split()[0])

    def unload(self, lane):
        lane.run("iptables", "-w", "-t", "raw", "-F")
        for _ in range(100):  # the rule's reference goes a moment later
            with contextlib.suppress(RuntimeError):
                lane.run("ipset", "destroy", "s")
                return
        raise RuntimeError("ipset: the set stays in use")


class Blackhole(Filter):
    """Routes to nowhere, and the check of the way back, which drops whose way is one of them."""

    name, needs = "ip route blackhole", ("ip",)

    def files(self):
        self.lists.path("routes", self.size)

    def ready(self, lane):
        lane.run("sysctl", "-qw", f"net.ipv4.conf.{lane.dev}.rp_filter=1")

    def load(self, lane):
        lane.run("ip", "-batch", self.lists.path("routes", self.size))

    def dropped(self, lane):
        return lane.table("netstat")["TcpExt"]["IPReversePathFilter"]

    def unload(self, lane):
        lane.run("ip", "route", "flush", "type", "blackhole")


PEERS = (XdpFilter, Nftables, Ipset, Blackhole)
