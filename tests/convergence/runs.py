"""One run of a history: what happens next, and what goes wrong, is read off a tape; after its end all goes well."""

from __future__ import annotations

from random import Random

from convergence.books import Books
from convergence.histories import TOPICS, History
from convergence.rokt import Fault
from convergence.world import World
from worker.mapping import Call

LIMIT = 3000
FAULTS = (Fault.LOST, Fault.LOST_AFTER, Fault.ERROR, Fault.ERROR_AFTER, Fault.BUSY, Fault.UNREACHABLE)
WORKERS = (("a", "b", "c"), ("a", "a", "a"), ("a", "a", "b"), ("a", "b", "a"), ("a", "b", "b"))


class Tape:
    """So many choices at random, the same for the same seed; zeros once it is at its end."""

    def __init__(self, seed: int, length: int) -> None:
        self._random = Random(seed)
        self._left = length

    def next(self, below: int) -> int:
        self._left -= 1
        return self._random.randrange(below) if self._left >= 0 else 0

    def chance(self, one_in: int) -> bool:
        return self.next(one_in) == one_in - 1


class Run:
    """`patient`: no cancel's wait is over while anything else can happen. `forgets`: Rokt may forget its keys."""

    def __init__(
        self, history: History, tape: Tape, *, patient: bool, forgets: bool, mishaps: int = 6, max_attempts: int = 1000
    ) -> None:
        workers = dict(zip(TOPICS, WORKERS[tape.next(len(WORKERS))], strict=True))
        self.history = history
        self.world = World(history.streams, workers, max_attempts=max_attempts)
        self.world.fault = self._fault
        self._tape = tape
        self._patient = patient
        self._forgets = forgets
        self._mishaps = mishaps

    def play(self) -> World:
        """To the end; raises AssertionError when there is none."""
        world = self.world
        for _ in range(LIMIT):
            if world.finished:
                break
            self._mishap()
            steps = list(world.steps())
            if not self._patient and (not steps or self._tape.chance(6)):
                steps += world.impatience()
            if steps:
                world.take(steps[self._tape.next(len(steps))])
            elif world.dead:
                world.expire()
            else:
                over = list(world.impatience())
                assert over, "all wait, and nobody for a confirm"
                world.take(over[self._tape.next(len(over))])
        assert world.finished, "it never ends"
        return world

    @property
    def books(self) -> Books:
        return self.world.books

    def _mishap(self) -> None:
        world, tape = self.world, self._tape
        if not (self._mishaps and tape.chance(6)):
            return
        self._mishaps -= 1
        owners = world.owners
        match tape.next(7):
            case 0 | 1:
                world.crash(owners[tape.next(len(owners))])
            case 2:
                world.stop(owners[tape.next(len(owners))])
            case 3:
                world.part(owners[tape.next(len(owners))])
            case 4:
                world.expire()
            case 5:
                topic = TOPICS[tape.next(3)]
                world.rewind(topic, tape.next(1 + world.streams[topic].position))
            case _ if self._forgets:
                world.rokt.forget()

    def _fault(self, _: Call) -> Fault:
        if self._mishaps and self._tape.chance(3):
            self._mishaps -= 1
            return FAULTS[self._tape.next(len(FAULTS))]
        return Fault.NONE
