"""What the worker does a second, what an event costs, and what others do with the same load: `python -m bench`.

Every arm (bench/arms.py) runs once in each round, one after another, so that what else the machine does meets all of
them alike; of the rounds the median counts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median

from bench import alone, paced, rivalry
from bench.arms import ARMS, SHIPPED, Arm
from bench.marks import marks
from bench.running import Run, measure
from bench.servers import Servers, servers

HEADINGS = ("", "events/s", "of ceiling", "µs/event", "librdkafka", "MiB", "at once", "machine")
WIDTHS = (16, 9, 10, 9, 10, 5, 7, 8)
TITLES = " ".join(f"{heading:>{width}}" for heading, width in zip(HEADINGS, WIDTHS, strict=True))


def rounds(arms: list[Arm], made: Servers, given: argparse.Namespace, others: Path | None) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {arm.name: [] for arm in arms}
    for number in range(given.rounds):
        for arm in arms:
            began = time.monotonic()
            run = measure(arm, made, max(100, int(given.events * arm.share)), others)
            runs[arm.name].append(run)
            print(f"{line(arm, [run])}   round {number + 1}, {time.monotonic() - began:.0f} s", flush=True)
    return runs


def middle(runs: list[Run]) -> Run:
    """The median of each figure; of memory the most."""
    figures = ("rate", "cpu", "librdkafka", "machine")
    rate, cpu, library, machine = (median(getattr(run, name) for run in runs) for name in figures)
    return Run(rate, cpu, library, max(run.memory for run in runs), max(run.at_once for run in runs), machine)


def line(arm: Arm, runs: list[Run]) -> str:
    run = middle(runs)
    return (
        f"{arm.name:>16} {run.rate:>9,.0f} {run.rate / arm.ceiling:>10.0%} {run.cpu:>9,.0f} {run.librdkafka:>10,.0f} "
        f"{run.memory:>5,.0f} {run.at_once:>7} {run.machine:>8.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", nargs="+", metavar="NAME", help="only these: " + ", ".join(a.name for a in ARMS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=15_000, help="of each run")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run at half load")
    parser.add_argument("--json", type=Path, default=Path("../dist/bench.json"))
    given = parser.parse_args()
    others, why = rivalry.python()
    arms = [arm for arm in ARMS if given.arms is None or arm.name in given.arms]
    installed = [arm for arm in arms if arm.rival is None or (others and rivalry.installed(others, arm.rival))]
    for arm in arms:
        if arm not in installed:
            print(f"{arm.name}: not measured, it cannot be installed here ({why or 'another Python is needed'})")
    with servers(with_postgres=any(arm.ledger == "postgres" for arm in installed)) as made:
        installed = [arm for arm in installed if arm.ledger != "postgres" or made.postgres is not None]
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; {made.broker}; {made.registry}", flush=True)
        print(TITLES)
        runs = rounds(installed, made, given, others)
        middles = {arm.name: middle(runs[arm.name]) for arm in installed}
        print("\nmedian of each")
        print(TITLES)
        for arm in installed:
            print(line(arm, runs[arm.name]))
        added, once = _beside(made, given, middles.get(SHIPPED.name), others)
    said = [*marks(middles, added, once)]
    print("", *said, sep="\n")
    written = {
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
        "arms": [asdict(arm) | {"runs": [asdict(run) for run in runs[arm.name]]} for arm in installed],
        "paced": {name: asdict(one) for name, one in added.items()},
        "alone": asdict(once) if once is not None else None,
        "marks": [asdict(mark) | {"met": mark.met} for mark in said],
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(written, indent=2) + "\n")


def _beside(
    made: Servers, given: argparse.Namespace, shipped: Run | None, others: Path | None
) -> tuple[dict[str, paced.Added], alone.Alone | None]:
    """What is measured once, of the worker as shipped; at half of what it was found to do, where that is asked for."""
    if shipped is None:
        return {}, None
    once = alone.measure(SHIPPED, made, given.events, others)
    print(f"\nfrom exec to the first call: {once.first_call_seconds:.1f} s")
    print(f"settled events passed a second: {once.again_rate:,.0f}")
    print("µs an event by stage: " + ", ".join(f"{stage} {cost:.0f}" for stage, cost in once.stages.items()))
    added: dict[str, paced.Added] = {}
    for name, carts in (("half load", "zipf"), ("a hot cart", "hot")):
        one = added[name] = paced.measure(SHIPPED, made, shipped.rate / 2, given.seconds, carts)
        spread = f"p50 {one.p50:.0f}, p99 {one.p99:.0f}, most {one.most:.0f} ms"
        print(f"{name}, {one.rate:,.0f} a second: added {spread}; {one.cpu:.0f} µs an event", flush=True)
    return added, once


if __name__ == "__main__":
    main()
