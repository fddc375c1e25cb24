"""Runs Millrace and other queues in turns on one machine, and sets their figures side by side.

Started by deploy/bench-peers, which installs what it needs.
"""

import argparse
import json
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import queues

PEERS = [queues.Postgres, queues.Beanstalkd, queues.Gearmand, queues.Huey,
         queues.MillraceByPython]
ROWS_IN_TURNS = ["A", "A1", "B", "C"]
OTHER_ROWS = ["D", "E", "F", "G", "H", "I", "J", "K", "L", "M"]
BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"


class Figures:
    """Values of all turns by who and what, in the order in which they were first heard of."""

    def __init__(self):
        self.values = {}
        self.units = {}

    def add(self, who, what, unit, value):
        self.values.setdefault((who, what), []).append(value)
        self.units[who, what] = unit

    def median(self, who, what):
        values = self.values.get((who, what))
        return statistics.median(values) if values else None

    def text(self, who, what, spread=True):
        values = self.values.get((who, what))
        if not values:
            return "–"
        middle = number(statistics.median(values))
        if not spread or len(values) == 1:
            return middle
        return f"{middle} ({number(min(values))}–{number(max(values))})"

    def ratio(self, one, other):
        """How often the second goes into the first, turn by turn, each a pair of who and what."""
        pairs = list(zip(self.values.get(one, []), self.values.get(other, [])))
        ratios = [mine / theirs for mine, theirs in pairs if theirs]
        return f"{statistics.median(ratios):.2f}" if ratios else "–"


def number(value):
    if value >= 99.95:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def percentile(times, share):
    """Nearest rank, as `millrace bench` has it; in ms."""
    times = sorted(times)
    rank = -int(-share * len(times) // 1)
    return times[min(max(rank, 1), len(times)) - 1] * 1e3


def run_bench(options, rows, repeats):
    command = [options.binary, "bench", *rows, "--json", "--directory", options.directory,
               "--repeat", str(repeats), "--batch", str(queues.BATCH), "--scale",
               str(options.scale)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def figure_name(figure):
    return f"{figure['row']} {figure.get('name', '')}".strip()


def take_turns(options, figures):
    """Everybody once, then everybody again: what disturbs the machine disturbs all of them."""
    report = None
    for turn in range(options.repeat):
        say(f"turn {turn + 1} of {options.repeat}: Millrace")
        report = run_bench(options, ROWS_IN_TURNS, 1)
        for figure in report["figures"]:
            for value in figure["values"]:
                figures.add("Millrace", figure_name(figure), figure["unit"], value)
        for peer in options.peers:
            say(f"turn {turn + 1} of {options.repeat}: {peer.name}")
            found = peer.measure(options.scale)
            figures.add(peer.name, "submit", "jobs/s", found["submit"])
            figures.add(peer.name, "end to end", "jobs/s", found["end to end"])
            for name, share in [("p50", 0.5), ("p99", 0.99)]:
                figures.add(peer.name, name, "ms", percentile(found["times"], share))
        say(f"turn {turn + 1} of {options.repeat}: limits")
        limits = ["deploy/bench-limits", "--binary", options.binary, "--directory",
                  options.directory, "--repeat", "1", "--raw", "--jobs",
                  str(max(int(100_000 * options.scale), 100))]
        for line in subprocess.run(limits, check=True, stdout=subprocess.PIPE,
                                   text=True).stdout.splitlines():
            name, unit, value = line.split("\t")
            figures.add("limit", name, unit, float(value))
    return report


def say(words):
    print(words, file=sys.stderr, flush=True)


def peers_table(options, figures):
    """Millrace's best normal way beside everybody else's."""
    rows = [["", "durable how", "end to end, jobs/s", "submitted, jobs/s", "one job p50, ms",
             "one job p99, ms", "result kept"]]
    rows.append(["**Millrace**, its own client", "synchronous=FULL: every reply is synced",
                 figures.text("Millrace", "A"), figures.text("Millrace", "B"),
                 figures.text("Millrace", "C tcp p50"), figures.text("Millrace", "C tcp p99"),
                 "yes"])
    for peer in options.peers:
        rows.append([peer.name, peer.durability, figures.text(peer.name, "end to end"),
                     figures.text(peer.name, "submit"), figures.text(peer.name, "p50"),
                     figures.text(peer.name, "p99"), "yes" if peer.keeps_results else "no"])
    return markdown(rows)


def rows_table(report, figures):
    """Every row with its goal, and what stands beside it."""
    postgres, beanstalkd = queues.Postgres.name, queues.Beanstalkd.name
    floors = ["round trip and one sync p50", "round trip and one commit of a job p50"]
    kept = "E kept, bytes of results"
    megabytes, writes = "synced after each MiB", "writes of a job, 512 a commit"
    inserts = "insert of a job, 512 a commit"
    beside = {
        "A": (f"PostgreSQL {figures.text(postgres, 'end to end', False)}: "
              f"{figures.ratio(('Millrace', 'A'), (postgres, 'end to end'))} ×",
              f"{writes}: {figures.text('limit', writes, False)}: "
              f"{figures.ratio(('Millrace', 'A'), ('limit', writes))} ×"),
        "B": (f"PostgreSQL {figures.text(postgres, 'submit', False)}: "
              f"{figures.ratio(('Millrace', 'B'), (postgres, 'submit'))} ×",
              f"{inserts}: {figures.text('limit', inserts, False)}: "
              f"{figures.ratio(('Millrace', 'B'), ('limit', inserts))} ×"),
        kept: ("", f"{megabytes}: {figures.text('limit', megabytes, False)}: "
               f"{figures.ratio(('Millrace', kept), ('limit', megabytes))} ×"),
    }
    if figures.median("Millrace", "F bare echo max"):
        for share in ["p50", "p90", "p99", "p99.9", "max"]:
            echo = figures.text("Millrace", f"F bare echo {share}", False)
            beside[f"F sys.ping {share}"] = ("", f"bare echo {share}: {echo}")
    for way in ["ipc", "tcp"]:
        share = figures.ratio(("Millrace", f"C {way} p50"), (beanstalkd, "p50"))
        over = [f"{way} {floor}: {figures.text('limit', f'{way} {floor}', False)}: "
                f"{figures.ratio(('Millrace', f'C {way} p50'), ('limit', f'{way} {floor}'))} ×"
                for floor in floors]
        beside[f"C {way} p50"] = (
            f"beanstalkd {figures.text(beanstalkd, 'p50', False)}: {share} ×", "; ".join(over))
    rows = [["row", "what", "goal", "median (min–max)", "unit", "best peer", "limit"]]
    for figure in report:
        name = figure_name(figure)
        if name.startswith("F bare echo"):
            continue
        goal = (f"≥ {number(figure['at_least'])}" if "at_least" in figure
                else f"≤ {number(figure['at_most'])}" if "at_most" in figure else "")
        what = figure["what"] + (f": {figure['name']}" if "name" in figure else "")
        peer, limit = beside.get(name, ("", ""))
        rows.append([figure["row"], what, goal, figures.text("Millrace", name), figure["unit"],
                     peer, limit])
    return markdown(rows)


def limits_table(figures):
    rows = [["limit", "median (min–max)", "unit"]]
    for who, what in figures.values:
        if who == "limit":
            rows.append([what, figures.text(who, what), figures.units[who, what]])
    return markdown(rows)


def markdown(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows[1:]])


def page(options, report, all_figures, figures):
    machine, versions = report["machine"], report["versions"]
    described = "; ".join(sorted({peer.version for peer in options.peers
                                  if not isinstance(peer, queues.MillraceByPython)}))
    memory = machine["memory_bytes"] / 2**30
    return "\n\n".join([
        f"Measured on {time.strftime('%Y-%m-%d', time.gmtime())}: {machine['processor']}, "
        f"{machine['cores']} cores, {memory:.0f} GiB; {machine['system']}, Linux "
        f"{machine['kernel']}, {machine['file_system']}.\n"
        f"Millrace {versions['millrace']}, SQLite {versions['sqlite']}; {described}; Python "
        f"{platform.python_version()}.\nMedians of {options.repeat}, least and most in "
        f"parentheses; batches of {queues.BATCH}; scale {options.scale:g}.",
        "### The rows", rows_table(all_figures, figures),
        "### Beside other queues", peers_table(options, figures),
        "### What the machine allows", limits_table(figures),
    ])


def write_article(path, text):
    article = pathlib.Path(path)
    old = article.read_text(encoding="utf-8")
    new, count = re.subn(f"{re.escape(BEGIN)}.*{re.escape(END)}",
                         lambda _: f"{BEGIN}\n\n{text}\n\n{END}", old, flags=re.DOTALL)
    if count != 1:
        sys.exit(f"{path} has no place for figures: {BEGIN} … {END}")
    article.write_text(new, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(prog="deploy/bench-peers")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rows", choices=["all", "turns"], default="all")
    parser.add_argument("--article")
    options = parser.parse_args()

    # A plain end, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    queues.MillraceByPython.program = options.binary
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="millrace-peers-", dir=options.directory) as place:
        pathlib.Path(place).chmod(0o755)
        options.peers = [peer(f"{place}/{peer.__name__}") for peer in PEERS]
        report = take_turns(options, figures)
    all_figures = report["figures"]
    if options.rows == "all":
        say("Millrace, the rows that have no peer here")
        others = run_bench(options, OTHER_ROWS, options.repeat)["figures"]
        for figure in others:
            for value in figure["values"]:
                figures.add("Millrace", figure_name(figure), figure["unit"], value)
        all_figures = all_figures + others
    text = page(options, report, all_figures, figures)
    print(text)
    if options.article:
        write_article(options.article, text)


if __name__ == "__main__":
    main()
