# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of `peers` for people: goals beside what was measured, tables, and plots by gnuplot.
Reads the result alone; measures nothing."""

import os
import shutil
import subprocess

PEERS = ["xdp-filter", "nftables set", "iptables + ipset", "ip route blackhole"]
FILTERS = ["stanch", "stanch with sources"] + PEERS
COLOURS = {"stanch": "#c0392b", "stanch with sources": "#e59866", "xdp-filter": "#2471a3",
           "nftables set": "#229954", "iptables + ipset": "#b7950b",
           "ip route blackhole": "#7d3c98", "bare pass": "#555555"}
CASES = {"active": "up to 10,000 listed sources, dropped", "unlisted": "unlisted sources, passed",
         "spread": "listed sources all over the list, dropped"}
ATTACKS = {"listed": "listed sources", "random": "random sources", "syn": "SYN, random sources"}
WIDTH, HEIGHT = 860, 340


def count(number):
    """1000000 as 1 M."""
    for unit, name in ((1000000, " M"), (1000, " k")):
        if number >= unit and number % unit == 0:
            return f"{number // unit}{name}"
    return str(number) if number else ""


def of(values, digits=2):
    """Median, and in brackets where nine of ten and one of ten runs were."""
    if not values:
        return "-"
    p10, p50, p90 = (f"{values[key]:.{digits}f}" for key in ("p10", "p50", "p90"))
    return p50 if p10 == p90 else f"{p50} ({p10}-{p90})"


def find(rows, name, size, case, **more):
    return next((row for row in rows if (row["filter"], row["size"], row["case"]) ==
                 (name, size, case) and all(row[key] == value for key, value in more.items())),
                None)


# ---- goals ----

def faster(rows, name, size, case):
    """Times the packets of @name that stanch takes in, on one CPU and on two, if measured."""
    found = []
    for cpus in (1, 2):
        ours = find(rows, "stanch", size, case, cpus=cpus)
        theirs = find(rows, name, size, case, cpus=cpus)
        found.append(theirs["ns"]["p50"] / ours["ns"]["p50"] if ours and theirs else None)
    return found


def share(rows, size, case):
    """Of the packets that the yardstick takes in."""
    found = [find(rows, "stanch", size, case, cpus=cpus) for cpus in (1, 2)]
    return [row["ratio"]["p50"] if row and row["ratio"] else None for row in found]


def goals(rows):
    """The budgets of a drop by list: what must be, what is; left out where nothing is measured."""
    wanted = [
        ("1 k entries, x xdp-filter", 1.0, faster(rows, "xdp-filter", 1000, "active")),
        ("1 k entries, x a bare counting drop", 0.9, share(rows, 1000, "active")),
        ("1 M entries, 10 k active sources, x a bare counting drop", 0.7,
         share(rows, 1000000, "active")),
        ("1 M entries, unlisted sources, x a bare pass", 0.7, share(rows, 1000000, "unlisted")),
        ("1 M entries, sources all over the list, x a bare counting drop", 0.4,
         share(rows, 1000000, "spread"))]
    for case in CASES:
        for name in PEERS:
            ahead = [(ratios, size) for size in sorted({row["size"] for row in rows})
                     for ratios in [faster(rows, name, size, case)] if None not in ratios]
            if ahead:
                least, size = min(ahead, key=lambda one: min(one[0]))
                wanted.append((f"{CASES[case]}, x {name}, the worst size ({count(size)})", 1.0,
                               least))
    return [{"what": what, "goal": goal, "one_cpu": round(one, 3), "two_cpus": round(two, 3),
             "met": min(one, two) >= goal}
            for what, goal, (one, two) in wanted if one is not None and two is not None]


# ---- tables ----

def markdown(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows])


def rate_cells(rows, one):
    two = find(rows, one["filter"], one["size"], one["case"], cpus=2)
    if not two:
        return [one["filter"], count(one["size"]), of(one["ratio"]), of(one["mpps"]), "", "", ""]
    return [one["filter"], count(one["size"]), of(one["ratio"]), of(one["mpps"]), of(two["ratio"]),
            of(two["mpps"]), of(two["ns"], 0)]


def goal_table(result):
    return markdown(["packets taken in", "goal", "one CPU", "two CPUs", ""],
                    [[one["what"], f"at least {one['goal']:.2f}", f"{one['one_cpu']:.2f}",
                      f"{one['two_cpus']:.2f}", "met" if one["met"] else "**missed**"]
                     for one in result["goals"]])


def sections(result):
    """(title, note, table) of everything that was measured."""
    rows = result["rows"]
    if result["goals"]:
        yield "Goals", "Medians of one run; met when both are.", goal_table(result)
    for case, title in CASES.items():
        mine = [row for row in rows.get("rate", []) if row["case"] == case]
        if mine:
            bare = "a bare pass" if case == "unlisted" else "a bare counting drop"
            yield (f"Packets taken in: {title}", "", markdown(
                ["filter", "entries", f"one CPU, x {bare}", "Mpps", f"two CPUs, x {bare}",
                 "Mpps", "ns per packet"],
                [rate_cells(mine, row) for row in mine if row["cpus"] == 1]))
    if rows.get("innocents"):
        yield ("Requests of innocents under attack", "Beside the same server with no filter, under "
               "the same attack. Two CPUs: attack and wrk from the first; on the second nginx, and "
               "before it the thread that takes packets in.", markdown(
                   ["attack", "asked, Mpps", "sent, Mpps", "taken in, Mpps", "filter", "entries",
                    "x no filter", "requests/s"],
                   [[row["case"], row["asked_pps"] / 1e6 or "", of(row["offered_mpps"]),
                     of(row.get("arrived_mpps")), row["filter"], count(row["size"]),
                     of(row["ratio"]), of(row["requests"], 0)] for row in rows["innocents"]]))
    if rows.get("apply"):
        yield ("A list put in force, and taken away", "", markdown(
            ["filter", "entries", "ms to apply", "kernel memory, MiB", "of it BPF maps",
             "longest stall when it goes, ms"],
            [[row["filter"], count(row["size"]), of(row.get("ms"), 0), of(row.get("kernel_mib"), 1),
              of(row.get("maps_mib"), 1), of(row["stall_ms"], 1)] for row in rows["apply"]]))
    if rows.get("flood"):
        yield ("A flood of sources that come once each", "", markdown(
            ["filter", "sources", "ns per packet", "kernel memory at its most, MiB"],
            [[row["filter"], row["sources"], of(row["ns"], 0),
              max([one["mib"] for one in row["samples"]], default=0)] for row in rows["flood"]]))
    if result.get("cannot"):
        yield ("What cannot be done", "", markdown(
            ["part", "filter", "entries", "why"],
            [[one["part"], one["filter"], count(one["size"]), one["why"]]
             for one in result["cannot"]]))
    if result.get("wrong"):
        yield ("Wrong: packets did not go where they must, so there is no figure", "", markdown(
            ["part", "filter", "entries", "why"],
            [[one["part"], one["filter"], count(one["size"]), one["why"]]
             for one in result["wrong"]]))


def table(result):
    return "\n\n".join(f"## {title}\n{note + chr(10) if note else ''}\n{text}"
                       for title, note, text in sections(result))


# ---- plots ----

def plot(path, title, lines, **inputs):
    """One SVG. @inputs: named blocks of data."""
    blocks = "".join(f"${name} << EOD\n{text}\nEOD\n" for name, text in inputs.items())
    script = (f"set terminal svg size {WIDTH},{HEIGHT} font 'sans,12' background 'white'\n"
              f"set output '{path}'\nset title \"{title}\"\nset key outside right top\n"
              f"set grid ytics lc '#dddddd'\nset border 3\nset tics nomirror\n{blocks}{lines}\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True, timeout=60)


def groups(names, columns, cell):
    """Data for bars: a line for each column, a column for each name; and the words that draw it."""
    text = "\n".join(" ".join([f'"{label}"'] + [str(cell(name, key)) for name in names])
                     for key, label in columns)
    bars = ", ".join(f"$d using {at + 2}:xtic(1) title '{name}' lc rgb '{COLOURS[name]}'"
                     for at, name in enumerate(names))
    style = "set style data histogram\nset style histogram clustered gap 1\nset style fill solid\n"
    return text, style + "plot " + bars


def measured(rows):
    return [name for name in FILTERS if any(row["filter"] == name for row in rows)]


def plot_rate(rows, folder):
    for case, title in CASES.items():
        mine = [row for row in rows if row["case"] == case and row["cpus"] == 1]
        sizes = sorted({row["size"] for row in mine if row["size"]})
        names = measured(mine)
        if not sizes:
            continue

        def cell(name, size, mine=mine):
            row = find(mine, name, size, mine[0]["case"])
            return row["ratio"]["p50"] if row and row["ratio"] else "NaN"
        data, lines = groups(names, [(size, count(size)) for size in sizes], cell)
        bare = "bare pass" if case == "unlisted" else "bare counting drop"
        plot(f"{folder}/peers-{case}.svg", f"Packets taken in: {title}",
             f"set ylabel 'x {bare}'\nset yrange [0:1.05]\nset xlabel 'entries'\n{lines}", d=data)


def plot_innocents(rows, folder):
    size = max([row["size"] for row in rows if row["filter"] in PEERS], default=0)
    names = measured(rows)
    cells = sorted({(row["case"], row["asked_pps"]) for row in rows if row["asked_pps"]})
    if not cells:
        return

    def cell(name, key):
        row = next((row for row in rows if row["filter"] == name and row["size"] == size and
                    (row["case"], row["asked_pps"]) == key), None)
        return row["ratio"]["p50"] if row and row["ratio"] else "NaN"
    data, lines = groups(names, [(key, f"{key[0]} {key[1] / 1e6:g}") for key in cells], cell)
    plot(f"{folder}/peers-innocents.svg",
         f"Requests served under attack ({count(size)} entries)",
         f"set ylabel 'x no filter'\nset yrange [0:]\nset xlabel 'attack, Mpps asked for'\n"
         f"set arrow from graph 0, first 1 to graph 1, first 1 nohead lc '#888888'\n"
         f"set xtics rotate by -30\n{lines}", d=data)


def plot_apply(rows, folder):
    mine = [row for row in rows if "ms" in row]
    sizes = sorted({row["size"] for row in mine})
    if not sizes:
        return

    def cell(name, size):
        row = find(mine, name, size, "apply")
        return row["ms"]["p50"] if row else "NaN"
    data, lines = groups(measured(mine), [(size, count(size)) for size in sizes], cell)
    plot(f"{folder}/peers-apply.svg", "A list put in force",
         f"set ylabel 'ms'\nset logscale y\nset xlabel 'entries'\n{lines}", d=data)


def plot_flood(rows, folder):
    mine = [row for row in rows if row["samples"]]
    if not mine:
        return
    blocks = {f"d{at}": "\n".join(f"{one['sources'] / 1e6} {one['ns']}" for one in row["samples"])
              for at, row in enumerate(mine)}
    lines = ", ".join(f"$d{at} using 1:2 with lines lw 2 lc rgb '{COLOURS[row['filter']]}' "
                      f"title '{row['filter']}'" for at, row in enumerate(mine))
    plot(f"{folder}/peers-flood.svg", "A flood of sources, each comes once",
         f"set ylabel 'ns per packet'\nset yrange [0:]\nset xlabel 'million sources so far'\n"
         f"plot {lines}", **blocks)


HEAD = """# stanch beside its peers

Made by `make bench-peers` from `tests/bench/results/peers.json`; do not edit.

Live frames (`BPF_F_TEST_XDP_LIVE_FRAMES`) over one veth for each filter, in namespaces of the
bench. "One CPU": CPU {sender_cpu} sends and takes in, one burst after the other; Mpps is packets in
a second of its time, and sending is a part of it (the same for all). "Two CPUs": CPU {sender_cpu}
sends, a kernel thread on CPU {receiver_cpu} takes in; ns is that thread's time for each packet, and
Mpps what it could take in. So no figure is the sender's limit, nor another program's load. What
passes goes through the whole stack to a socket. Filters take turns (A B A B), ratios are between
slices of one round, and brackets hold the tenth and the ninetieth percentile. Every filter's own
count of drops is compared with what was sent. Lists of up to 10 k are single addresses, longer ones
have one /24 in ten rows. Each peer is set up the way that is fastest for it: nftables in the
earliest hook, ipset in the raw table, xdp-filter through its map where the time to fill it is not
what is measured, and routes with the check of the way back. The sending ends do without
segmentation, which XDP at the other end switches off anyway: with it a host's own packets would go
around the queue that the attack fills.

{stanch}; Linux {kernel}, {cpu}, {cpus} CPUs, load {load_before:.1f} before and {load_after:.1f}
after; {packages}; {iptables}.
"""


MARKS = "<!-- made by make bench-peers -->\n", "<!-- end of it -->\n"


def into_readme(path, result, folder):
    """What stands between the marks is made anew: the goals, and the plots of drops by list."""
    with open(path, encoding="utf-8") as file:
        before, rest = file.read().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    name = os.path.basename(folder)
    plots = "\n".join(f"![{CASES[case]}]({name}/peers-{case}.svg)" for case in CASES
                      if os.path.exists(f"{folder}/peers-{case}.svg"))
    around = result["surroundings"]
    text = (f"{goal_table(result)}\n\nOne CPU sends and takes in, or two share that; Linux "
            f"{around['kernel']}, {around['cpu']}; all rows: [{name}/peers.md]({name}/peers.md).\n"
            f"\n{plots}\n")
    with open(path, "w", encoding="utf-8") as out:
        out.write(before + MARKS[0] + text + MARKS[1] + after)


def render(result, folder, readme=None):
    """docs/peers.md, its plots, and a part of the README. Without gnuplot, the text alone."""
    os.makedirs(folder, exist_ok=True)
    around = dict(result["surroundings"])
    around["packages"] = ", ".join(f"{name} {version}"
                                   for name, version in around["packages"].items())
    plots = [f"peers-{name}.svg" for name in (*CASES, "innocents", "apply", "flood")]
    for name in plots:
        if os.path.exists(f"{folder}/{name}"):
            os.unlink(f"{folder}/{name}")
    if shutil.which("gnuplot"):
        for part, draw in (("rate", plot_rate), ("innocents", plot_innocents),
                           ("apply", plot_apply), ("flood", plot_flood)):
            draw(result["rows"].get(part, []), folder)
    drawn = "\n".join(f"![{name}]({name})" for name in plots if os.path.exists(f"{folder}/{name}"))
    with open(f"{folder}/peers.md", "w", encoding="utf-8") as out:
        out.write(f"{HEAD.format(**around)}\n{drawn}\n\n{table(result)}\n")
    if readme:
        into_readme(readme, result, folder)
