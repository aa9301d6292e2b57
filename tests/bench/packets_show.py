# SPDX-License-Identifier: GPL-2.0-or-later
"""What packets.json says, for people: goals, tables, plots. Reads the document alone."""

COLOURS = {"stanch": "#c0392b", "table of stanch": "#e59866", "LPM_TRIE": "#2471a3",
           "HASH": "#229954", "counting drop": "#555555"}
SOURCES = {"spread": "spread over the list", "active": "10 k active", "zipf": "Zipf, of 65 k",
           "unlisted": "unlisted, random", "flagged": "one"}


def count(entries):
    """999999 as 1 M: one entry of the million is the flagged network."""
    entries += entries == 999999
    for unit, name in ((1000000, " M"), (1000, " k")):
        if entries >= unit:
            return f"{entries // unit}{name}"
    return str(entries)


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def sizes_of(document):
    return sorted({cell["entries"] for cell in document["cells"]})


def by_row(document, wanted):
    """{(class, name, sources, program): {entries: cell}} of those cells, in order."""
    rows = {}
    for cell in document["cells"]:
        if wanted(cell):
            key = cell["class"], cell["name"], cell["sources"], cell["by"]
            rows.setdefault(key, {})[cell["entries"]] = cell
    return rows


def value(cell):
    if not cell:
        return ""
    ratio, ns = cell["times_drop"], cell["ns"]
    return (f"**{ratio['median']:.1f}** ({ratio['p10']:.1f}-{ratio['p90']:.1f}), "
            f"{ns['median']:.0f} ns")


def goals(document):
    rows = [row for row in document["metrics"] if "goal" in row]
    return table(["ratio", "goal", "measured", ""],
                 [[row["what"], f"at most {row['goal']:g}", f"{row['measured']:.3f}",
                   "met" if row["measured"] <= row["goal"] else "**missed**"] for row in rows])


def matrix(document, label, wanted):
    sizes = sizes_of(document)
    return table([*label, *(f"{count(size)} {'entry' if size == 1 else 'entries'}"
                            for size in sizes)],
                 [[*name, *(value(cells.get(size)) for size in sizes)]
                  for name, cells in wanted])


def classes(document):
    rows = by_row(document, lambda cell: cell["by"] == "stanch")
    return matrix(document, ["packet, judged by stanch", "sources"],
                  [([name, SOURCES[sources]], cells)
                   for (_, name, sources, _), cells in rows.items()])


def beside(document, family):
    rows = by_row(document, lambda cell: cell["class"] == family and cell["sources"] == "spread")
    return matrix(document, ["drop by list, sources " + SOURCES["spread"]],
                  [([f"{by}, IPv{family[-1]}"], cells)
                   for (_, _, _, by), cells in rows.items()])


def control(document):
    costs = [f"{cost['ns_median']:.0f} ns per {name} ({cost['ns_min']:.0f} to "
             f"{cost['ns_max']:.0f} by where the kernel puts the programs)"
             for name, cost in document["control_cost"].items()]
    return f"Control word, overrides, canary and samples, no trial running: {', '.join(costs)}."


def markdown(document):
    bare = document["bare_ns"]
    mitigations = [text.split(";")[0].replace("Mitigation: ", "")
                   for text in document["mitigations"].values() if text.startswith("Mitigation")]
    around = (f"{document['date'][:10]}, {document['cpu']}, {document['cpus']} CPUs, load "
              f"{document['load']:.1f}; Linux {document['kernel']} ({', '.join(mitigations)}). "
              f"{document['rounds']} rounds of {document['packets']:,} packets.")
    how = ("**Times a counting drop** in the same round (p10-p90), and ns. Before each runs a "
           "program that writes the next source into the frame, in both; it adds "
           f"{max(bare['prologue_v4']['median'], 0):.0f} ns, which the ns leave out. Bare: an "
           f"empty program {bare['empty']['median']:.0f} ns, a counting drop "
           f"{bare['counting_drop']['median']:.0f} ns.")
    return "\n\n".join([around, goals(document), how, classes(document),
                        beside(document, "drop4"), beside(document, "drop6"), control(document)])


# ---- plots ----

def curve(document, family, sources, by):
    rows = by_row(document, lambda cell: (cell["class"], cell["sources"], cell["by"]) ==
                  (family, sources, by))
    return [(entries, cell["ns"]) for cells in rows.values()
            for entries, cell in sorted(cells.items())]


def panel(document, family, sources):
    """Medians as a line, p10 to p90 as bars."""
    data, parts = [], []
    for i, (by, colour) in enumerate(COLOURS.items()):
        lines = [f"{entries} {ns['median']:.2f} {max(ns['p10'], 1):.2f} {ns['p90']:.2f}"
                 for entries, ns in curve(document, family, sources, by)]
        data.append(f"$c{i} << EOD\n" + "\n".join(lines) + "\nEOD")
        style = f"lw 2 lc rgb '{colour}'"
        parts.append(f"$c{i} using 1:2:3:4 with yerrorbars pt 7 ps 0.4 {style} notitle, "
                     f"$c{i} using 1:2 with lines {style} title '{by}'")
    return "\n".join([*data, f"set title '{SOURCES[sources]}'", "plot " + ", ".join(parts)])


def plot(document, family):
    head = ["set terminal svg noenhanced size 900,380 background rgb 'white' font 'sans,12'",
            "set logscale xy", "set xrange [0.7:1.5e6]", "set yrange [3:5000]", "set grid",
            "set xtics ('1' 1, '10' 10, '100' 100, '1 k' 1e3, '10 k' 1e4, '100 k' 1e5, '1 M' 1e6)",
            "set xlabel 'entries'", f"set ylabel 'ns per packet, IPv{family[-1]}'",
            "set key top left", "set multiplot layout 1,2"]
    return "\n".join(head + [panel(document, family, sources) for sources in ("spread", "active")]
                     + ["unset multiplot", ""])


def plots(document):
    return {f"packets-v{family[-1]}.svg": plot(document, family) for family in ("drop4", "drop6")}
