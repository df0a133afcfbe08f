"""`make simulate SEEDS=n` runs so many seeds; `make simulate SEED=n` runs one of them again and shows every step."""

from __future__ import annotations

import argparse
import sys
import time

from simulation.runs import run

TELL_SECONDS = 5.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one only, and show every step")
    parser.add_argument("--digests", action="store_true", help="print a digest of each seed's steps")
    given = parser.parse_args()
    if given.seed is not None:
        return _one(given.seed)
    return _many(range(given.first, given.first + given.seeds), digests=given.digests)


def _one(seed: int) -> int:
    found = run(seed)
    print(found.report(steps=None))
    return 1 if found.broken else 0


def _many(seeds: range, *, digests: bool) -> int:
    begun = told = time.monotonic()
    failed = steps = 0
    for count, seed in enumerate(seeds, 1):
        found = run(seed)
        steps += len(found.trace)
        if digests:
            print(seed, found.trace.digest())
        if found.broken:
            failed += 1
            print(found.report())
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            print(f"{count} seeds, {failed} failed, {count / (told - begun):.0f} a second", file=sys.stderr)
    seconds = time.monotonic() - begun
    print(
        f"{len(seeds)} seeds in {seconds:.1f} s, {len(seeds) / seconds:.0f} a second, {steps} steps, {failed} failed",
        file=sys.stderr,
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
