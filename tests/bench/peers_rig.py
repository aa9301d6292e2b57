# SPDX-License-Identifier: GPL-2.0-or-later
"""Where stanch is measured beside its peers: one namespace that sends, and for every filter a lane,
a namespace of its own behind a veth. In a lane, packets are taken in by one kernel thread (threaded
NAPI) on a CPU of its own, so that what receiving costs is that thread's CPU time, whatever the
sender costs. Knows links and counters; no filter and no figure."""

import contextlib
import ctypes
import fcntl
import glob
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGRO = 0x8946, 0x1f, 0x2c
CLONE_NEWNET = 0x40000000
SINK_PORT, WEB_PORT = 9, 8080
PACKETS_A_BURST = 250000
REST_US = 50  # what is due then, at a million a second, a veth's ring of 256 still takes
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
LIBC = ctypes.CDLL(None, use_errno=True)


def command(*words, **more):
    """Standard output; what a command says when it fails is in the error."""
    more.setdefault("timeout", 300)
    done = subprocess.run(words, check=False, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)[:200]}: exit {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()[:300]}")
    return done.stdout


def cpus():
    """Of who sends, and of who receives; the same one where there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


def kernel_memory():
    """Bytes that the kernel has given to itself: objects, per-CPU memory, mapped pages."""
    with open("/proc/meminfo", encoding="ascii") as file:
        values = {line.split(":")[0]: int(line.split()[1]) for line in file}
    return 1024 * (values["Slab"] + values["Percpu"] + values["VmallocUsed"])


@contextlib.contextmanager
def in_net(path):
    """This thread in the network namespace of that name."""
    with open("/proc/self/ns/net", "rb") as home, open(path, "rb") as other:
        if LIBC.setns(other.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            LIBC.setns(home.fileno(), CLONE_NEWNET)


def offload(link, dev, what, on):
    """One of the kernel's offloads of an interface; @link, a socket in its namespace."""
    value = ctypes.create_string_buffer(struct.pack("II", what, on))
    fcntl.ioctl(link, SIOCETHTOOL, struct.pack("16sP", dev.encode(), ctypes.addressof(value)))


class Lane:
    """One filter's namespace: `dev` takes packets in, `far` is where they are sent from."""

    def __init__(self, rig, number):
        self.rig, self.number = rig, number
        self.net = f"pl{os.getpid()}x{number}"
        self.far, self.dev = f"pf{number}", f"p{os.getpid()}b{number}"
        self.address = f"10.77.{number}.2"
        self.web = self.holder = self.sink = None
        self.children = []

    def open(self):
        command("ip", "netns", "add", self.net)
        command("ip", "-n", self.rig.client, "link", "add", self.far, "type", "veth", "peer",
                "name", self.dev, "netns", self.net)
        for net, dev, address in ((self.rig.client, self.far, f"10.77.{self.number}.1/24"),
                                  (self.net, self.dev, f"{self.address}/24")):
            command("ip", "-n", net, "address", "add", address, "dev", dev)
            command("ip", "-n", net, "link", "set", dev, "up")
        command("ip", "-n", self.net, "link", "set", "lo", "up")
        command("ip", "-n", self.net, "route", "add", "default", "via", f"10.77.{self.number}.1")
        link = json.loads(command("ip", "-n", self.net, "-j", "link", "show", self.dev))
        self.mac = link[0]["address"]
        # Its own bpffs and /run: pins and locks of two filters of one kind do not meet, and
        # neither do those of the host's.
        self.holder = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.net}", "unshare", "--mount", "sh", "-c",
             "mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf && "
             "mount -t tmpfs tmpfs /run && echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{self.net}: nobody holds it")
        self.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0",
                 f"net.ipv4.conf.{self.dev}.rp_filter=0", "net.ipv4.tcp_syncookies=1")
        self.receive()

    def receive(self):
        """
        Frames are taken in by a thread of their own; what passes ends in a full socket. Without
        segmentation at the far end, which XDP switches off anyway, all packets of all lanes go
        through the same queue; else the host's would go around that of the frames.
        """
        with in_net(f"/run/netns/{self.rig.client}"), socket.socket(socket.AF_INET,
                                                                    socket.SOCK_DGRAM) as link:
            offload(link, self.far, ETHTOOL_STSO, 0)
        with in_net(f"/run/netns/{self.net}"):
            self.sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            offload(self.sink, self.dev, ETHTOOL_SGRO, 1)
            self.sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            self.sink.bind(("0.0.0.0", SINK_PORT))
        self.place(2)

    def place(self, count):
        """Who takes packets in: with two CPUs a thread on the other one, with one the sender."""
        self.run("sh", "-c", f"echo {count - 1} >/sys/class/net/{self.dev}/threaded")

    def run(self, *words, **more):
        return command("nsenter", "-t", str(self.holder.pid), "-n", "-m", *words, **more)

    def start(self, *words):
        child = subprocess.Popen(["nsenter", "-t", str(self.holder.pid), "-n", "-m", *words],
                                 stdin=subprocess.DEVNULL, **QUIET)
        self.children.append(child)
        return child

    def threads(self):
        """The kernel threads that take packets in, pinned to their CPU."""
        found = []
        for path in glob.glob("/proc/[0-9]*/comm"):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
                if file.read().startswith(f"napi/{self.dev}-"[:15]):
                    found.append(int(path.split("/")[2]))
        for pid in found:
            os.sched_setaffinity(pid, {cpus()[1]})
        if not found:
            raise RuntimeError(f"{self.dev}: no thread takes packets in")
        return found

    def softirq_thread(self):
        """Who takes over from a sender that has received for too long."""
        for path in glob.glob("/proc/[0-9]*/comm"):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
                if file.read().strip() == f"ksoftirqd/{cpus()[0]}":
                    return [int(path.split("/")[2])]
        raise RuntimeError("no thread for soft interrupts")

    def table(self, name):
        """{'Udp': {'RcvbufErrors': 1, ...}, ...} of the lane's /proc/net/@name."""
        result = {}
        with open(f"/proc/{self.holder.pid}/net/{name}", encoding="ascii") as file:
            lines = file.read().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            result[names.split(":")[0]] = dict(zip(names.split()[1:], map(int, values.split()[1:])))
        return result

    def arrived(self):
        """Packets that the interface has taken in."""
        with open(f"/proc/{self.holder.pid}/net/dev", encoding="ascii") as file:
            line = next(line for line in file if line.strip().startswith(self.dev + ":"))
        return int(line.split(":")[1].split()[1])

    def passed(self):
        """Packets that came as far as the socket: all but a few find it full."""
        udp = self.table("snmp")["Udp"]
        return udp["InErrors"] + udp["InDatagrams"]

    def cpu_ns(self, threads):
        """CPU time that taking packets in has cost."""
        total = 0
        for pid in threads:
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total

    def settle(self):
        """Until what is on its way has arrived."""
        for _ in range(200):
            seen = self.arrived()
            time.sleep(0.005)
            if self.arrived() == seen:
                return

    def close(self):
        for child in self.children:
            end(child)
        self.children = []
        if self.sink:
            self.sink.close()
        if self.holder:
            self.holder.stdin.close()
            end(self.holder)
        subprocess.run(["ip", "netns", "del", self.net], check=False, **QUIET)
        subprocess.run(["ip", "-n", self.rig.client, "link", "del", self.far], check=False, **QUIET)


def end(child):
    """Ends a process of ours, and waits for it."""
    for step in (child.terminate, child.kill):
        if child.poll() is None:
            step()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(5)
            return


class Rig:
    """All lanes, and the namespace they are sent to from. Nothing is left of it at its end."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.stanch = f"{self.build}/stanch"
        self.client = f"pc{os.getpid()}"
        self.lanes, self.opened = [], 0

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix=f"stanch-peers.{os.getpid()}.")
        run = f"{self.folder}/run"
        os.mkdir(run)
        os.environ.update(STANCH_STATE_DIR=f"{self.folder}/state", STANCH_RUN_DIR=run,
                          STANCH_BPF_DIR=f"{run}/bpf")
        try:
            command("ip", "netns", "add", self.client)
            command("ip", "-n", self.client, "link", "set", "lo", "up")
            command("ip", "-n", self.client, "link", "add", "idle0", "type", "veth", "peer",
                    "name", "idle1")
        except BaseException:
            self.__exit__()
            raise
        return self

    def lane(self):
        lane = Lane(self, self.opened % 250)
        self.opened += 1
        self.lanes.append(lane)
        lane.open()
        return lane

    def close(self, lane):
        self.lanes.remove(lane)
        lane.close()

    def __exit__(self, *_):
        for lane in list(self.lanes):
            self.close(lane)
        subprocess.run(["umount", f"{self.folder}/run/bpf"], check=False, **QUIET)
        subprocess.run(["ip", "netns", "del", self.client], check=False, **QUIET)
        shutil.rmtree(self.folder, ignore_errors=True)

    def in_client(self, *words):
        return ["taskset", "-c", str(cpus()[0]), "nsenter", f"--net=/run/netns/{self.client}",
                *words]

    def sender(self, lane, flows, rate=0, seconds=0, count=0):
        """A process that sends these flows (texts of `traffic send --flow`) to a lane."""
        words = [f"{self.build}/tools/traffic", "send", "--dev", lane.far, "--dst-mac", lane.mac,
                 "-j", "--park", "idle0", "--burst", str(PACKETS_A_BURST), "--rest", str(REST_US),
                 "--dst", lane.address]
        for name, value in (("--rate", rate), ("--seconds", seconds), ("--count", count)):
            words += [name, str(value)] if value else []
        for flow in flows:
            words += ["--flow", flow]
        child = subprocess.Popen(self.in_client(*words), text=True, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lane.children.append(child)
        return child


def sent(lane, child, stop=False):
    """What a sender says at its end: packets sent, seconds."""
    if stop:
        child.send_signal(signal.SIGTERM)
    out, said = child.communicate(timeout=60)
    lane.children.remove(child)
    if child.returncode:
        raise RuntimeError(f"the sender: {said.strip()}")
    report = json.loads(out)
    return {name: int(report[name]) for name in ("sent", "left", "dropped")} | {
        "seconds": float(report["seconds"]), "cpu": int(report["cpu_us"]) * 1000}
