# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured of stanch and its peers, each part a list of rows. Every count of a filter is
compared with what was sent to it: a row whose packets did not go where they must has no figure."""

import json
import os
import re
import statistics
import subprocess
import time

from peers_filters import (PEERS, Bare, BarePass, Filter, Lists, Stanch, StanchSources, XdpFilter,
                           nft_counter, sources)
from peers_rig import SINK_PORT, WEB_PORT, command, cpus, end, kernel_memory, sent

STRAYS = 16  # packets that the kernel says by itself: neighbour discovery and its like
UNLISTED = "random:16.0.0.0/4"
FLOOD_SOURCES = "scatter:{}:16.0.0.0/4:32"
TRIE = "LPM_TRIE, for reference"


class Wrong(Exception):
    """Packets did not go where they must."""


def spread(values, digits=3):
    values = sorted(values)
    if len(values) < 2:
        deciles = [values[0]] * 9
    else:
        deciles = statistics.quantiles(values, n=10, method="inclusive")
    return {"p10": round(deciles[0], digits), "p50": round(statistics.median(values), digits),
            "p90": round(deciles[8], digits), "runs": len(values)}


def alternated(things, turn):
    """A B C, C B A, A B C ...: nobody is always first."""
    return things if turn % 2 == 0 else things[::-1]


class Bench:
    """The rig, the lists, how much of everything, and what came of it."""

    def __init__(self, rig, how, say):
        self.rig, self.how, self.say = rig, how, say
        self.lists = Lists(rig.folder)
        self.cannot, self.wrong = [], []

    def can(self, part, judge):
        why = judge.cannot().replace(f"{self.rig.folder}/", "")
        if why:
            self.cannot.append({"part": part, "filter": judge.name, "size": judge.size, "why": why})
        return not why

    def fails(self, part, judge, why):
        self.say(f"WRONG: {part}, {judge}: {why}")
        self.wrong.append({"part": part, "filter": judge.name, "size": judge.size, "why": str(why)})

    def row(self, judge, case, **figures):
        return {"filter": judge.name, "size": judge.size, "case": case, **figures}

    def opened(self, judge):
        """The filter in a lane of its own, its list in force but not timed."""
        judge.files()
        lane = self.rig.lane()
        judge.ready(lane)
        (judge.fill if isinstance(judge, XdpFilter) else judge.load)(lane)
        place(lane, 2)
        return lane


def place(lane, count):
    """Receive on a CPU of its own, or on the sender's: then what counts is what both cost."""
    lane.place(count)
    lane.cpus = count
    lane.napi = lane.threads() if count == 2 else lane.softirq_thread()


# ---- packets received ----

def look(lane, judge):
    return {"arrived": lane.arrived(), "dropped": judge.dropped(lane), "passed": lane.passed(),
            "cpu": lane.cpu_ns(lane.napi)}


def went(lane, judge, before):
    """What became of the packets since @before; waits for those that are not counted yet."""
    for _ in range(100):
        lane.settle()
        now = look(lane, judge)
        found = {key: now[key] - before[key] for key in now}
        if found["dropped"] + found["passed"] >= found["arrived"] - STRAYS:
            break
    return found


def check(found, drops):
    """All of them dropped, or all of them passed, and there were some."""
    hit, missed = ("dropped", "passed") if drops else ("passed", "dropped")
    if found["arrived"] < 100:
        raise Wrong(f"{found['arrived']} packets arrived")
    if abs(found["arrived"] - found[hit]) > STRAYS or found[missed] > STRAYS:
        raise Wrong(f"of {found['arrived']} packets {found[hit]} {hit}, {found[missed]} {missed}")


def slice_of(bench, lane, judge, flows, drops):
    """One short run: nanoseconds of the receiver for each packet, and millions in a second."""
    before = look(lane, judge)
    child = bench.rig.sender(lane, [f"{flow},dport={SINK_PORT}" for flow in flows],
                             seconds=bench.how.slice_s, count=bench.how.slice_packets)
    report = sent(lane, child)
    found = went(lane, judge, before)
    check(found, drops)
    cpu = found["cpu"] + (report["cpu"] if lane.cpus == 1 else 0)
    return {"ns": cpu / found["arrived"], "offered": report["sent"] / report["seconds"],
            "received": found["arrived"] / report["seconds"], "packets": found["arrived"]}


def filters(bench, part):
    """No filter, the two yardsticks, and everything that can hold a list of each size."""
    found = [cls(bench.rig, bench.lists) for cls in (Filter, Bare, BarePass)]
    for size in bench.how.sizes:
        for cls in (Stanch, StanchSources) + PEERS:
            judge = cls(bench.rig, bench.lists, size)
            if bench.can(part, judge):
                found.append(judge)
    return found


def cases(judge):
    """(name, flows, are they dropped) that make sense for a filter."""
    unlisted = ("unlisted", [f"u:src={UNLISTED}"], False)
    if type(judge) is Bare:
        listed = sources(10000, False)
        return [("active", listed, True), ("spread", listed, True)]
    if not judge.size:
        return [unlisted]
    result = [("active", sources(judge.size, False), True), unlisted]
    return result + [("spread", sources(judge.size, True), True)] if judge.size > 10000 else result


def open_all(bench, part):
    opened = []
    for judge in filters(bench, part):
        begun = time.monotonic()
        try:
            opened.append((bench.opened(judge), judge))
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as error:
            bench.fails(part, judge, error)
        bench.say(f"  {judge}: {time.monotonic() - begun:.1f} s to set up")
    return opened


def part_rate(bench):
    """Every filter has a lane; they take turns, slice by slice."""
    bench.lanes = open_all(bench, "rate")
    result = []
    for count in (1, 2):
        for lane, _ in bench.lanes:
            place(lane, count)
        result += rates(bench, count)
    return result


def rates(bench, count):
    took, broken = {}, set()
    for case in ("active", "unlisted", "spread"):
        for turn in range(bench.how.rounds):
            for lane, judge in alternated(bench.lanes, turn):
                mine = [one for one in cases(judge) if one[0] == case]
                if not mine or (judge, case) in broken:
                    continue
                try:
                    found = slice_of(bench, lane, judge, *mine[0][1:])
                    took.setdefault((judge, case), {})[turn] = found
                except (Wrong, RuntimeError) as error:
                    broken.add((judge, case))
                    bench.fails(f"rate, {case}", judge, error)
        bench.say(f"  {case}, CPUs {count}: done")
    return [rate_row(bench, took, judge, case, count) for judge, case in took
            if (judge, case) not in broken]


def rate_row(bench, took, judge, case, count):
    mine = took[judge, case]
    name = BarePass.name if case == "unlisted" else Bare.name
    base = next((slices for (other, at), slices in took.items()
                 if other.name == name and at == case), {})
    ratios = [base[turn]["ns"] / mine[turn]["ns"] for turn in mine if turn in base]
    return bench.row(judge, case, cpus=count, ratio=spread(ratios) if ratios else None,
                     ns=spread([one["ns"] for one in mine.values()], 1),
                     mpps=spread([1000 / one["ns"] for one in mine.values()]),
                     received_mpps=spread([one["received"] / 1e6 for one in mine.values()]),
                     offered_mpps=spread([one["offered"] / 1e6 for one in mine.values()]),
                     packets=sum(one["packets"] for one in mine.values()))


# ---- innocents ----

NGINX = """pid {folder}/nginx{n}.pid; error_log /dev/null; worker_processes 1; daemon off;
master_process off; events {{ worker_connections 1024; }}
http {{ access_log off; server {{ listen {port} backlog=4096;
location / {{ return 200 "ok"; }} }} }}
"""
ATTACKS = ("listed", "random", "syn")


def attack_flow(attack, size):
    """Of the shortest list that takes part, which is in every longer one."""
    return {"listed": f"{sources(size, False)[0]},dport={SINK_PORT}",
            "random": f"r:src={UNLISTED},dport={SINK_PORT}",
            "syn": f"s:template=v4-syn,src={UNLISTED},dport={WEB_PORT}"}[attack]


def serve(bench, lane):
    path = f"{bench.rig.folder}/nginx{lane.number}.conf"
    with open(path, "w", encoding="ascii") as out:
        out.write(NGINX.format(folder=bench.rig.folder, n=lane.number, port=WEB_PORT))
    lane.web = lane.start("taskset", "-c", str(cpus()[1]), "nginx", "-c", path, "-p",
                          bench.rig.folder)
    for _ in range(100):
        done = subprocess.run(bench.rig.in_client("curl", "-sf", "-m", "2", url(lane)), check=False,
                              stdout=subprocess.PIPE)
        if done.stdout == b"ok":
            return
        time.sleep(0.05)
    raise RuntimeError("nginx does not answer")


def url(lane):
    return f"http://{lane.address}:{WEB_PORT}/"


def wrk(bench, lane):
    words = ["wrk", "-t1", "-c16", f"-d{bench.how.wrk_s}s", url(lane)]
    out = command(*bench.rig.in_client(*words), timeout=bench.how.wrk_s + 30)
    return float(re.search(r"Requests/sec:\s*([0-9.]+)", out).group(1))


def under(bench, lane, judge, flow, rate):
    """Requests in a second under an attack, and the rate at which it really came."""
    if not rate:
        return {"requests": wrk(bench, lane), "offered": 0, "arrived": 0}
    before = judge.dropped(lane)
    child = bench.rig.sender(lane, [flow], rate=rate, seconds=bench.how.wrk_s + 30)
    time.sleep(0.2)
    requests = wrk(bench, lane)
    report = sent(lane, child, stop=True)
    lane.settle()
    dropped, came = judge.dropped(lane) - before, report["sent"] - report["dropped"]
    listed = judge.size and flow.startswith("hosts:")
    if listed and dropped < came * 0.95 - STRAYS:
        raise Wrong(f"{dropped} of {came} listed packets dropped")
    if not listed and dropped > STRAYS:
        raise Wrong(f"{dropped} packets dropped that nobody listed")
    return {"requests": requests, "offered": report["sent"] / report["seconds"],
            "arrived": came / report["seconds"]}


def part_innocents(bench):
    """One web server behind each filter, all with the same list, and stanch with the longest."""
    size = min(bench.how.sizes, key=lambda size: abs(size - 10000))
    lanes = [(lane, judge) for lane, judge in bench.lanes if type(judge) is Filter or
             judge.size == size or (judge.size == bench.how.sizes[-1] and judge.name == "stanch")]
    cells = [("", 0)] + [(attack, rate) for attack in ATTACKS for rate in bench.how.attack_rates]
    took, broken = {}, set()
    for lane, _ in lanes:
        serve(bench, lane)
        for pid in lane.napi:  # packets come before programs, as with a card's interrupts
            os.setpriority(os.PRIO_PROCESS, pid, -20)
    for attack, rate in cells:
        for turn in range(bench.how.wrk_rounds):
            for lane, judge in alternated(lanes, turn):
                key = (judge, attack, rate)
                flow = attack_flow(attack, size) if attack else ""
                try:
                    if key not in broken:
                        took.setdefault(key, {})[turn] = under(bench, lane, judge, flow, rate)
                except (Wrong, RuntimeError) as error:
                    broken.add(key)
                    bench.fails(f"innocents, {attack} {rate}", judge, error)
        bench.say(f"  {attack or 'no attack'} {rate or ''}: done")
    return [innocents_row(bench, took, *key) for key in took if key not in broken]


def innocents_row(bench, took, judge, attack, rate):
    mine = took[judge, attack, rate]
    base = next((one for (other, *cell), one in took.items()
                 if type(other) is Filter and cell == [attack, rate]), {})
    ratios = [mine[turn]["requests"] / base[turn]["requests"] for turn in mine
              if base.get(turn, {}).get("requests")]
    return bench.row(judge, attack or "none", asked_pps=rate,
                     ratio=spread(ratios) if ratios else None,
                     requests=spread([one["requests"] for one in mine.values()], 0),
                     offered_mpps=spread([one["offered"] / 1e6 for one in mine.values()]),
                     arrived_mpps=spread([one["arrived"] / 1e6 for one in mine.values()]))


# ---- a list put in force, and taken away ----

def stalled(bench, work):
    """Worst milliseconds for which a CPU did not answer meanwhile and a while after."""
    watcher = subprocess.Popen([f"{bench.rig.build}/tests/bench/stall", "watch"], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        if watcher.stderr.readline() != "ready\n":
            raise RuntimeError("nobody watches the CPUs")
        work()
        time.sleep(bench.how.freed_s)
        out, _ = watcher.communicate(timeout=30)
    finally:
        end(watcher)
    return json.loads(out)["worst_ns"] / 1e6


def calm_memory():
    """Once what was there before has been given back, as far as that can be seen."""
    memory = kernel_memory()
    for _ in range(20):
        time.sleep(0.1)
        before, memory = memory, kernel_memory()
        if abs(memory - before) < 2 ** 17:
            break
    return memory


def apply_once(bench, judge):
    """Milliseconds, bytes and stall of a list that comes into an empty lane and goes again."""
    judge.files()
    lane = bench.rig.lane()
    try:
        judge.ready(lane)
        place(lane, 2)
        memory, begun = calm_memory(), time.monotonic()
        judge.load(lane)
        ms = (time.monotonic() - begun) * 1000
        memory, maps = calm_memory() - memory, judge.memory(lane)
        before = look(lane, judge)
        for flow, drops in ((sources(judge.size, False)[0], True), (f"u:src={UNLISTED}", False)):
            child = bench.rig.sender(lane, [f"{flow},dport={SINK_PORT}"], count=1000, rate=20000)
            sent(lane, child)
            check(went(lane, judge, before), drops)
            before = look(lane, judge)
        return {"ms": ms, "memory": memory, "maps": maps,
                "stall": stalled(bench, lambda: judge.unload(lane))}
    finally:
        bench.rig.close(lane)


def apply_row(bench, judge, took):
    maps = [one["maps"] for one in took if one["maps"] is not None]
    return bench.row(judge, "apply", ms=spread([one["ms"] for one in took], 1),
                     kernel_mib=spread([one["memory"] / 2 ** 20 for one in took], 1),
                     maps_mib=spread([value / 2 ** 20 for value in maps], 1) if maps else None,
                     stall_ms=spread([one["stall"] for one in took], 1))


def part_apply(bench):
    result = []
    for size in bench.how.apply_sizes:
        judges, took = [], {}
        for cls in (Stanch,) + PEERS:
            judge = cls(bench.rig, bench.lists, size)
            if cls is XdpFilter and size > 1000:
                bench.cannot.append({"part": "apply", "filter": judge.name, "size": size, "why":
                                     "one command for each address, at most 10000"})
            elif bench.can("apply", judge):
                judges.append(judge)
        for turn in range(bench.how.apply_rounds):
            for judge in alternated(judges, turn):
                try:
                    took.setdefault(judge, []).append(apply_once(bench, judge))
                except (Wrong, RuntimeError, subprocess.TimeoutExpired, OSError) as error:
                    bench.fails("apply", judge, error)
        failed = {(one["filter"], one["size"]) for one in bench.wrong if one["part"] == "apply"}
        result += [apply_row(bench, judge, took[judge]) for judge in took
                   if (judge.name, judge.size) not in failed]
        bench.say(f"  {size} entries: done")
    return result + [trie_row(bench)]


def trie_row(bench):
    """What a table must not do: a million rows one by one in the hands of the kernel's RCU."""
    size = bench.how.apply_sizes[-1]
    stalls = [json.loads(command(f"{bench.rig.build}/tests/bench/stall", "trie", str(size)))
              for _ in range(bench.how.apply_rounds)]
    return {"filter": TRIE, "size": size, "case": "apply",
            "stall_ms": spread([one["worst_ns"] / 1e6 for one in stalls], 1)}


# ---- a flood of sources ----



def floor(lane):
    """Packets end right behind XDP, so that what is seen is the filter and not the host."""
    lane.run("nft", "add table netdev f; add counter netdev f passed; add chain netdev f c "
             f"{{ type filter hook ingress device {lane.dev} priority 0; }}; "
             "add rule netdev f c meta l4proto udp counter name passed drop")


def flood_once(bench, lane, judge):
    """
    Samples of nanoseconds and kernel memory while as many sources come, each once. Who sends also
    takes in: next to nothing is lost on the way, however fast it comes.
    """
    how = bench.how
    flow = f"f:src={FLOOD_SOURCES.format(how.flood_sources)},dport={SINK_PORT}"
    place(lane, 1)
    start, memory, dropped = lane.arrived(), calm_memory(), judge.dropped(lane)
    child = bench.rig.sender(lane, [flow], count=how.flood_sources, rate=how.flood_rate)
    before, samples, begun = None, [], time.monotonic()
    while child.poll() is None and time.monotonic() - begun < 120:
        time.sleep(how.flood_sample_s)
        try:
            now = lane.arrived(), lane.cpu_ns(lane.napi + [child.pid])
        except OSError:  # it ended in between
            break
        before = before or now  # without what it takes to load the sender
        if now[0] - before[0] > 1000:
            samples.append({"s": round(time.monotonic() - begun, 2), "sources": now[0] - start,
                            "ns": round((now[1] - before[1]) / (now[0] - before[0]), 1),
                            "mib": round((kernel_memory() - memory) / 2 ** 20, 1)})
            before = now
    report = sent(lane, child)
    lane.settle()
    arrived, passed = lane.arrived() - start, nft_counter(lane, "f", "passed")
    dropped = judge.dropped(lane) - dropped
    if arrived < how.flood_sources * 0.9 or abs(arrived - passed) > STRAYS or dropped:
        raise Wrong(f"of {how.flood_sources} packets {arrived} arrived, {passed} passed, and "
                    f"{dropped} were dropped")
    return bench.row(judge, "flood", sources=arrived, seconds=report["seconds"], samples=samples,
                     ns=spread([one["ns"] for one in samples], 1) if samples else None,
                     offered_mpps=round(report["sent"] / report["seconds"] / 1e6, 3))


def part_flood(bench):
    result = []
    for cls, size in ((BarePass, 0), (Stanch, bench.how.flood_list),
                      (StanchSources, bench.how.flood_list)):
        judge = cls(bench.rig, bench.lists, size)
        if not bench.can("flood", judge):
            continue
        try:
            lane = bench.opened(judge)
            floor(lane)
            result.append(flood_once(bench, lane, judge))
            bench.rig.close(lane)
        except (Wrong, RuntimeError, subprocess.TimeoutExpired) as error:
            bench.fails("flood", judge, error)
    return result
