"""What is mended in the course of a run, and who redrives dead letters when: in the storm, in the calm, and at last."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from simulation.conditions import Redrives
from simulation.core import SUFFIX
from simulation.history import SOURCES
from simulation.processes import Process, crash_some_time
from simulation.redriver import Redrive, Redriver
from worker.record import Record
from worker.sandbox.faults import Faults
from worker.telemetry.names import DLQ_OPERATION

if TYPE_CHECKING:
    from simulation.world import World

STEPS = 40
"""A redriver crashes within so many."""
MOST = 40
"""Letters for one redriver: fewer carts than it takes to be stopped for rejections across the board."""
HOPELESS = 0.1
CALM_SECONDS = 10.0
IMPATIENCE_SECONDS = 30.0
"""Where one cart is all that a redriver has in hand, nothing tells it from an outage: it tries on, and is stopped."""
PATIENCE_SECONDS = 400.0
LOOK_SECONDS = 1.0


class Redriving:
    """The people of one world, by its conditions; draws from a source of its own."""

    def __init__(self, world: World, given: Redrives) -> None:
        self.redrivers: list[Redriver] = []
        self.ended = True
        self._world = world
        self._given = given
        self._chance = Random(given.seed)

    @property
    def redrives(self) -> list[Redrive]:
        return [redrive for redriver in self.redrivers for redrive in redriver.redrives]

    def begin(self) -> None:
        """Rokt judges some carts and items wrongly, or not at all, until that is mended."""
        weather, given = self._world.rokt.weather, self._given
        weather.declined = given.declined
        weather.illness = given.illness
        self._world.rokt.judge.fails_items(given.marker)
        self._world.spawn(self._mend())
        self._world.spawn(self._in_the_storm())

    async def in_the_calm(self) -> None:
        """Once or twice, while the workers settle what is left."""
        for _ in range(self._chance.randint(1, 2)):
            await asyncio.sleep(self._chance.uniform(0.0, CALM_SECONDS))
            self._round()

    async def at_last(self) -> None:
        """All that a redriver left undone, and some others, when nothing is wrong any more."""
        self._world.rokt.weather.poison = Faults()
        await self._all_ended()
        seen = {id(redrive.letter): redrive.fate for redrive in self.redrives if redrive.fate is not None}
        begun = {id(redrive.letter) for redrive in self.redrives}
        letters = self._letters()
        undone = [letter for letter in letters if id(letter) in begun and id(letter) not in seen]
        others = [letter for letter in letters if id(letter) not in begun or id(letter) in seen]
        due = undone + (self._some(others) if others else [])
        for first in range(0, len(due), MOST):
            self._start(due[first : first + MOST], patience=PATIENCE_SECONDS)
            await self._all_ended()

    def _round(self) -> None:
        """One redriver with some letters, or two at once with the same or with others; one may crash."""
        if letters := self._letters():
            several = self._some(letters)
            started = [self._start(several)]
            if self._chance.random() < 0.4:
                started.append(self._start(self._chance.choice((several, self._some(letters)))))
            for redriver in started:
                if not self._world.conditions.peaceful and self._chance.random() < 0.3:
                    crash_some_time(redriver.process, self._chance, STEPS)
            if self._chance.random() < 0.2:
                self._world.spawn(self._stopped_soon(started[0]))

    def _some(self, letters: list[Record]) -> list[Record]:
        """Few of those that no mend makes readable."""
        of_calls = [
            one for one in letters if (DLQ_OPERATION, b"") not in one.headers or self._chance.random() < HOPELESS
        ]
        letters = of_calls or letters
        several = self._chance.sample(letters, min(MOST, self._chance.randint(1, len(letters))))
        return several + ([several[0]] if self._chance.random() < 0.2 else [])

    def _start(self, letters: list[Record], patience: float = IMPATIENCE_SECONDS) -> Redriver:
        world = self._world
        process = Process(f"redriver-{len(self.redrivers) + 1}", world.loop, world.trace)
        world.trace.note(process.name, "started")
        redriver = Redriver(world, process, letters, patience=patience)
        self.redrivers.append(redriver)
        redriver.start()
        return redriver

    def _letters(self) -> list[Record]:
        topics = {topic + SUFFIX for topic in SOURCES}
        return [record for record in self._world.broker.written if record.topic in topics]

    async def _in_the_storm(self) -> None:
        storm = self._world.conditions.storm
        for at in sorted(self._chance.uniform(0.2, 1.0) * storm for _ in range(self._given.rounds)):
            await asyncio.sleep(max(0.0, at - self._world.loop.time()))
            self._round()

    async def _mend(self) -> None:
        await asyncio.sleep(self._given.mended * self._world.conditions.storm)
        self._world.trace.note("rokt", "mended")
        weather = self._world.rokt.weather
        weather.declined, weather.illness = frozenset(), None
        self._world.rokt.judge.fails_items("")

    async def _stopped_soon(self, redriver: Redriver) -> None:
        await asyncio.sleep(self._chance.choice((0.1, 1.0, 5.0)))
        redriver.stop()

    async def _all_ended(self) -> None:
        end = self._world.loop.time() + PATIENCE_SECONDS
        while self._world.loop.time() < end:
            if all(redriver.process.gone for redriver in self.redrivers):
                return
            await asyncio.sleep(LOOK_SECONDS)
        self.ended = False
