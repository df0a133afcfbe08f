"""A story: a steady stream of events, one worker, a Rokt that is well, then is not for ten minutes, then is again.

Its course is fixed, and only small things are drawn; so it can be told in figures, in virtual seconds.
"""

from __future__ import annotations

import asyncio
import bisect
from collections import Counter
from dataclasses import dataclass, field

from simulation.books import Books
from simulation.committing import Manners
from simulation.conditions import HOURS, Conditions
from simulation.history import Shop
from simulation.publisher import Delivery
from simulation.rokt import Network
from simulation.world import LOOK_SECONDS, World
from worker.handover import from_text
from worker.sandbox.faults import Faults

BEFORE_SECONDS = 10.0
OUTAGE_SECONDS = 600.0
PATIENCE_SECONDS = 60.0
CARTS = 2_000
CONCURRENCY = 64
ENOUGH = 0.9
TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befalls Rokt."""

    faults: Faults = field(default_factory=Faults)
    refuses: float = 0.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a story, in events, calls and virtual seconds.

    `calls` were tried in the outage, of the operation that was out or of all; `others_done` are those that were done
    meanwhile. `recovery`: when, after Rokt was back, a second began in which it was given nine tenths of what it can
    take; None: never. `waiting` are events that were not begun with when the story ended.
    """

    events: int
    lost: int
    doubled: int
    dead_letters: int
    calls: int
    others_done: int
    recovery: float | None
    waiting: int


class Story(World):
    """One worker in a trouble of ten minutes; so many events come a second.

    `call_seconds` is how long a call takes on average when Rokt is well, `before` when the trouble begins.
    """

    def __init__(
        self, trouble: Trouble, *, events: int, call_seconds: float, before: float = BEFORE_SECONDS, seed: int = 0
    ) -> None:
        super().__init__(seed, _conditions(call_seconds))
        self._trouble = trouble
        self._events = events
        self._called_off = int((before - 1.0) * events)
        self._enough = ENOUGH * CONCURRENCY / call_seconds
        self._shop = Shop(self.chance, carts=CARTS, seconds=0.0, told_again=0.0, broken=0.0)
        self.from_ = before
        self.until = before + OUTAGE_SECONDS

    async def _run(self) -> None:
        self.start_worker()
        stream = self.spawn(self._stream())
        given, weather = self.conditions, self.rokt.weather
        await asyncio.sleep(self.from_)
        weather.faults, weather.network = self._trouble.faults, Network(given.network.slowest, self._trouble.refuses)
        await asyncio.sleep(OUTAGE_SECONDS)
        weather.faults, weather.network = given.faults, given.network
        end = self.loop.time() + PATIENCE_SECONDS
        while self.loop.time() < end:
            await asyncio.sleep(LOOK_SECONDS)
            if self.recovery is not None:
                break
        stream.cancel()
        for instance in self.instances:
            instance.stop()
        await self._ended(PATIENCE_SECONDS)
        await self._clear()

    async def _stream(self) -> None:
        """So many events a second, a tenth of a second's at a time."""
        number = 0
        while True:
            now = self.loop.time()
            due = range(number, int(now * self._events))
            await self._publish([self._shop.steady(n, CARTS, now, called_off=self._called_off) for n in due])
            number = due.stop
            await asyncio.sleep(TICK_SECONDS)

    @property
    def recovery(self) -> float | None:
        """See `Figures`."""
        done = sorted(sent.over_at for sent in self.rokt.sent if sent.heard == 200 and sent.over_at is not None)
        first = bisect.bisect_left(done, self.until)
        for index in range(first, len(done)):
            if bisect.bisect_left(done, done[index] + 1.0) - index >= self._enough:
                return done[index] - self.until
        return None

    def figures(self) -> Figures:
        """Once it has run."""
        books = Books(self)
        passed = [p for position, p in books.published.items() if self._is_settled(position)]
        applied = Counter(sent.key for sent in self.rokt.sent if sent.applied)
        meanwhile = [sent for sent in self.rokt.tried if self.from_ < sent.sent_at < self.until]
        out = {str(operation) for operation in self._trouble.faults.only}
        return Figures(
            events=len(self.published),
            lost=sum(effect not in books.taken for p in passed for effect in p.effects),
            doubled=sum(times > 1 for times in applied.values()),
            dead_letters=sum(map(len, books.letters.values())),
            calls=sum(not out or sent.operation in out for sent in meanwhile),
            others_done=sum(sent.applied for sent in meanwhile),
            recovery=self.recovery,
            waiting=len(self.published) - len(passed),
        )

    def _is_settled(self, position: tuple[str, int, int]) -> bool:
        offset, text = self.group.offsets.get(position[:2], (0, ""))
        return position[2] < offset or position[2] in from_text(offset, text).settled


def _conditions(call_seconds: float) -> Conditions:
    """The settings' defaults, where a worker has them."""
    return Conditions(
        peaceful=False,
        carts=CARTS,
        partitions=3,
        workers=1,
        storm=0.0,
        told_again=0.0,
        broken=0.0,
        poll=0.1,
        batch=500,
        gap=10_000,
        memory=64 * 1024 * 1024,
        commit_every=1.0,
        under_way=5_000,
        concurrency=CONCURRENCY,
        max_attempts=8,
        rejections=50,
        probe=1.0,
        revoke=10.0,
        drain=10.0,
        timeout=10.0,
        key_ttl=HOURS,
        disk=0.005,
        disk_fails=0.0,
        parallel=1,
        group=256,
        cancel_wait=30.0,
        holes=0.0,
        mishaps=(),
        network=Network(slowest=call_seconds),
        faults=Faults(),
        poison=None,
        customers=False,
        manners=Manners(),
        delivery=Delivery(),
    )
