"""One run: everything that is drawn from a seed, and the course that it takes.

First a storm, in which the shop publishes and anything may go wrong; then a calm, in which nothing does and whatever is
left has to be settled; then the workers are told to stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from datetime import UTC, datetime
from random import Random
from typing import Any

from simulation.broker import Broker, Partition
from simulation.conditions import Conditions, draw
from simulation.core import OUTCOMES, SUFFIX
from simulation.disk import Disk
from simulation.group import Group
from simulation.history import SOURCES, Publication, Shop
from simulation.instance import Instance
from simulation.processes import Process
from simulation.publisher import Delivery
from simulation.redriving import Redriving
from simulation.rokt import Network, SimulatedRokt
from simulation.storm import Storm
from simulation.trace import Trace
from simulation.virtual_time import VirtualLoop, nothing_sleeps
from worker.record import Record
from worker.sandbox.app import Settings
from worker.sandbox.faults import Faults

EPOCH = 1_795_000_000.0
CALM_SECONDS = 900.0
LOOK_SECONDS = 1.0
BUY_SECONDS = 4.0
CUSTOMERS = 2
VISITS = 100


class World:
    """Owns the loop, the one source of chance, the brokers, Rokt and the disk; processes come and go in it."""

    def __init__(self, seed: int, conditions: Conditions | None = None) -> None:
        self.seed = seed
        self.chance = Random(seed)
        self.conditions = conditions or draw(self.chance)
        self.loop = VirtualLoop(self.chance)
        self.trace = Trace(self.loop.time)
        given = self.conditions
        self.delivery = given.delivery
        self.broker = Broker(now_ms=self.now_ms, trace=self.trace, chance=self.chance, holes=given.holes)
        for topic in SOURCES:
            self.broker.create(topic, given.partitions)
            self.broker.create(topic + SUFFIX, 1)
        self.broker.create(OUTCOMES, 2)
        self.sources = [partition for topic in SOURCES for partition in self.broker.partitions(topic)]
        self.group = Group(
            self.sources,
            loop=self.loop,
            spawn=self.spawn,
            written=lambda: len(self.broker.written),
            trace=self.trace,
            chance=self.chance,
        )
        self.rokt = SimulatedRokt(
            loop=self.loop,
            now=self.seconds,
            spawn=self.spawn,
            trace=self.trace,
            chance=self.chance,
            settings=Settings(faults=given.faults, key_ttl=given.key_ttl, seed=self.chance.getrandbits(32)),
        )
        self.rokt.weather.network = given.network
        self.disk = Disk(self.now_ms, slowest=given.disk, fails=given.disk_fails)
        self.instances: list[Instance] = []
        self.redriving = Redriving(self, given.redrives) if given.redrives is not None else None
        self.published: list[tuple[Publication, Record]] = []
        self.came_to_an_end = False
        self.failures: list[BaseException] = []
        self._own = copy_context()
        self._tasks: set[asyncio.Task[Any]] = set()

    def seconds(self) -> float:
        """Since 1970."""
        return EPOCH + self.loop.time()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    def now_ms(self) -> int:
        return int(self.seconds() * 1000)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of the world's own, whoever asks for it: it outlives any process."""
        task: asyncio.Task[None] = self.loop.create_task(coroutine, context=self._own)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def run(self) -> World:
        """From the first publication to the last worker's end. Raises what is wrong with the simulation itself."""
        try:
            with nothing_sleeps():
                self.loop.run_until_complete(self._run())
        finally:
            self.loop.close()
        if self.failures:
            raise self.failures[0]
        return self

    def start_worker(self) -> Instance:
        """One more process."""
        process = Process(f"worker-{len(self.instances) + 1}", self.loop, self.trace)
        self.trace.note(process.name, "started")
        instance = Instance(self, process)
        self.instances.append(instance)
        instance.start()
        return instance

    def alive(self) -> list[Instance]:
        """Those that run and were not told to stop."""
        return [i for i in self.instances if i.process.alive and not i.process.stopping]

    async def _run(self) -> None:
        given = self.conditions
        shop = Shop(
            self.chance, carts=given.carts, seconds=given.storm, told_again=given.told_again, broken=given.broken
        )
        self.rokt.weather.poison = given.poison or Faults()
        publishing = self.spawn(self._publish(shop.history()))
        if self.redriving is not None:
            self.redriving.begin()
        for _ in range(given.workers):
            self.start_worker()
        await Storm(self).blow()
        await publishing
        self._calm()
        buying = self.spawn(self._buy(shop)) if given.customers else None
        redriving = self.spawn(self.redriving.in_the_calm()) if self.redriving is not None else None
        self.came_to_an_end = await self._settled()
        if buying is not None:
            buying.cancel()
        if self.redriving is not None and redriving is not None:
            await redriving
            await self.redriving.at_last()
        for instance in self.alive():
            instance.stop()
        await self._ended(given.drain + given.revoke + 60.0)
        self.came_to_an_end &= all(i.process.gone for i in self.instances)
        for instance in self.instances:
            if not instance.process.gone:
                instance.process.crash("did not end")
        for redriver in self.redriving.redrivers if self.redriving is not None else ():
            if not redriver.process.gone:
                redriver.process.crash("did not end")
        await self._clear()

    async def _clear(self) -> None:
        """Ends what still goes on by itself."""
        for task in sorted(self._tasks, key=hash):
            task.cancel()
        await asyncio.sleep(LOOK_SECONDS)

    async def _publish(self, history: list[Publication]) -> None:
        for publication in history:
            await asyncio.sleep(max(0.0, publication.at - self.loop.time()))
            record = self.broker.append(publication.topic, key=publication.key.encode(), value=publication.value)
            self.published.append((publication, record))

    async def _buy(self, shop: Shop) -> None:
        """Customers go on buying as long as something of the storm is not settled, for a while."""
        ends = {partition: self.broker.last(partition) for partition in self.sources}
        for number in range(VISITS):
            await asyncio.sleep(BUY_SECONDS)
            if all(self._has_passed(partition, end) for partition, end in ends.items()):
                return
            await self._publish(shop.customers(number, CUSTOMERS, self.loop.time()))

    def _has_passed(self, partition: Partition, end: int) -> bool:
        return end <= self.group.offsets.get(partition, (0, ""))[0]

    def _calm(self) -> None:
        self.trace.note("world", "calm")
        self.rokt.weather.faults = Faults()
        self.rokt.weather.network = Network()
        self.disk.fails = 0.0
        self.delivery = Delivery()
        for instance in self.instances:
            instance.process.crash_in = None
        if not self.alive():
            self.start_worker()

    async def _settled(self) -> bool:
        """Whether all was committed in time."""
        end = self.loop.time() + CALM_SECONDS
        while self.loop.time() < end and not self.trace.defects:
            if all(self._has_passed(p, self.broker.last(p)) for p in self.sources):
                return True
            if not self.alive():
                self.start_worker()
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def _ended(self, seconds: float) -> None:
        """Gives the workers so long."""
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            if all(instance.process.gone for instance in self.instances):
                return
            await asyncio.sleep(LOOK_SECONDS)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failures.append(error)
