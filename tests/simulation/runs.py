"""Runs of many seeds: one after the other, each reckoned when it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulation.books import Books
from simulation.checks import Broken, reckon
from simulation.conditions import Conditions
from simulation.trace import Trace
from simulation.world import World

LAST_STEPS = 40


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a seed."""

    seed: int
    conditions: Conditions
    trace: Trace
    broken: tuple[Broken, ...]

    @property
    def replay(self) -> str:
        """The command that runs it again, and shows every step."""
        return f"make simulate SEED={self.seed}"

    def report(self, steps: int | None = LAST_STEPS) -> str:
        """What does not hold, the last steps (or all), and how to see it again."""
        broken = [f"seed {self.seed}: {check.name}: {check.example}" for check in self.broken]
        return "\n".join([*self.trace.lines(steps), str(self.conditions), *broken, f"again: {self.replay}"])


def run(seed: int) -> Run:
    """One world, from its beginning to its end."""
    world = World(seed)
    quiet = logging.getLogger("asyncio")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # what it says of a process that crashed is no news here
    try:
        broken = tuple(reckon(Books(world.run())))
    except Exception as error:
        broken = (Broken("it runs to its end", f"{type(error).__name__}: {error}"),)
    finally:
        quiet.setLevel(level)
    return Run(seed, world.conditions, world.trace, broken)


def failures(seeds: Iterable[int]) -> Iterator[Run]:
    """The runs in which something does not hold."""
    return (found for found in map(run, seeds) if found.broken)
