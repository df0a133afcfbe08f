"""What goes wrong while the shop publishes: each mishap at a moment of its own, and most of them over after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace as changed

from simulation.conditions import Mishap, poisonous
from simulation.processes import crash_some_time
from simulation.rokt import Network
from worker.sandbox.faults import Faults
from worker.sandbox.messages import Operation

if TYPE_CHECKING:
    from simulation.instance import Instance
    from simulation.world import World

STEPS = 60
"""A crash at a step comes within so many."""


class Storm:
    """The mishaps of one world's conditions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance = world.chance
        self._tasks: list[asyncio.Task[None]] = []

    async def blow(self) -> None:
        """Lasts as long as the conditions say, and until every mishap is over."""
        conditions = self._world.conditions
        moments = sorted(self._chance.uniform(0.0, conditions.storm) for _ in conditions.mishaps)
        for at, mishap in zip(moments, conditions.mishaps, strict=True):
            await asyncio.sleep(max(0.0, at - self._world.loop.time()))
            self._world.trace.note("world", "mishap", kind=mishap)
            self._tasks.append(self._world.spawn(self._happen(mishap)))
        await asyncio.sleep(max(0.0, conditions.storm - self._world.loop.time()))
        for task in self._tasks:
            await task

    async def _happen(self, mishap: Mishap) -> None:
        alive = self._world.alive()
        match mishap:
            case "join":
                self._world.start_worker()
            case "leave" if alive:
                self._chance.choice(alive).stop()
                await self._replace()
            case "crash" if alive:
                self._chance.choice(alive).process.crash("anywhere")
                await self._replace()
            case "crash at a step" if alive:
                crash_some_time(self._chance.choice(alive).process, self._chance, STEPS)
                await asyncio.sleep(self._chance.uniform(0.0, 10.0))
                await self._replace()
            case "cut off" if alive:
                await self._cut_off([self._chance.choice(alive)])
            case "brokers away":
                await self._cut_off(alive)
            case "long outage":
                await self._trouble_at_rokt(mishap, MINUTES)
            case "outage" | "one endpoint" | "one cart" | "wrong address" | "denied" | "throttled" | "unreachable":
                await self._trouble_at_rokt(mishap, self._chance.choice((1.0, 5.0, 20.0)))

    async def _replace(self) -> None:
        """Another one comes for the one that went, soon."""
        await asyncio.sleep(self._chance.choice((0.0, 0.5, 5.0)))
        if len(self._world.alive()) < self._world.conditions.workers:
            self._world.start_worker()

    async def _cut_off(self, instances: Sequence[Instance]) -> None:
        """Without brokers: for a moment, or for longer than a session lasts."""
        seconds = self._chance.choice((0.5, 2.0, 2.5 * self._world.conditions.manners.session))
        cut = [i for i in instances if i.process.linked and i.member is not None]
        for instance in cut:
            instance.process.linked = False
            if instance.member is not None:
                instance.member.link_lost(seconds)
        await asyncio.sleep(seconds)
        for instance in cut:
            instance.process.linked = True
            if instance.member is not None:
                instance.member.link_is_back()

    async def _trouble_at_rokt(self, mishap: Mishap, seconds: float) -> None:
        given, weather = self._world.conditions, self._world.rokt.weather
        some = self._chance.choice
        match mishap:
            case "outage":
                weather.faults = changed(given.faults, errors={503: 0.6}, errors_after={500: 0.4}, **NOTHING_ELSE)
            case "long outage":
                weather.faults = some(OUTAGES)
            case "one endpoint":
                weather.faults = changed(some(OUTAGES), only=(some(WRITING),))
            case "one cart":
                weather.faults = poisonous(self._chance, given.carts)
            case "wrong address":
                weather.faults = Faults(errors={404: 1.0})
            case "denied":
                weather.faults = Faults(errors={401: 1.0})
            case "throttled":
                weather.faults = Faults(errors={429: some((0.8, 1.0))}, retry_after=some((None, 0, 1, 2, 60)))
            case _:
                weather.network = Network(given.network.slowest, refuses=1.0)
        await asyncio.sleep(seconds)
        weather.faults, weather.network = given.faults, given.network


MINUTES = 600.0
WRITING = (Operation.CONFIRM, Operation.CANCEL, Operation.RELEASE)
NOTHING_ELSE = dict.fromkeys(("reset_before", "reset_after", "timeout_before", "timeout_after"), 0.0)
OUTAGES = (
    Faults(errors={503: 1.0}),
    Faults(errors={503: 1.0}, retry_after=3),
    Faults(errors_after={500: 1.0}),
    Faults(errors={502: 0.5}, reset_before=0.5),
    Faults(timeout_before=1.0),
    Faults(timeout_after=0.5, reset_after=0.5),
)
