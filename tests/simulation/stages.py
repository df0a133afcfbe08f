"""Places where one script of a consumer's and a producer's life can be played: the simulated broker, and true ones."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException

from infra.brokers import Broker as TrueBroker
from infra.brokers import fresh
from simulation.broker import Broker
from simulation.committing import Manners
from simulation.group import Group
from simulation.lockstep import Lockstep
from simulation.member import Answered, Member
from simulation.processes import Process
from simulation.publisher import Delivery, SimulatedPublisher
from simulation.trace import Trace
from simulation.virtual_time import VirtualLoop
from worker.record import Headers
from worker.stream.client import Client
from worker.stream.publisher import Publisher

PARTITIONS = 4
TRIES = 3


@dataclass(frozen=True, slots=True)
class Written:
    """A record to write; `timestamp_ms` since 1970."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None


class Closeable(Client, Protocol):
    """A client with its end."""

    def close(self) -> None: ...


class Stage(Protocol):
    """One topic of four partitions and one group, both unused."""

    @property
    def topic(self) -> str: ...

    def play(self, script: Callable[[], None]) -> None:
        """Runs a script; the other methods are for it alone."""

    def member(self, on_commit: Answered) -> Closeable:
        """One more member of the group, not subscribed yet."""

    def write(self, *records: Written) -> None:
        """Returns when all are acknowledged. Raises DeliveryFailed."""

    def clock(self) -> float:
        """Seconds, of whatever time it is here."""


class TrueStage:
    """A broker that clients of librdkafka talk to.

    A consumer that is collected as garbage in the middle of a rebalance never comes to its end, and no test after it:
    so each is closed, however the script ended.
    """

    def __init__(self, broker: TrueBroker) -> None:
        self._broker = broker
        self._members: list[Consumer] = []
        self.clock = time.monotonic
        self._begin()

    def play(self, script: Callable[[], None]) -> None:
        """Again from the beginning, where a rebalance overtook another: then a broker may refuse what is committed."""
        for _ in range(TRIES - 1):
            try:
                return self._play(script)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.REBALANCE_IN_PROGRESS:
                    raise
                self._begin()
        return self._play(script)

    def _play(self, script: Callable[[], None]) -> None:
        try:
            script()
        finally:
            self._close_members()

    def _close_members(self) -> None:
        """All of them; one that could not leave its group in time is closed as well."""
        while self._members:
            with contextlib.suppress(KafkaException):
                self._members.pop().close()

    def _begin(self) -> None:
        self._group = fresh("alike")
        self.topic = fresh("alike")
        self._broker.create_topics(self.topic, partitions=PARTITIONS)

    def member(self, on_commit: Answered) -> Consumer:
        own: dict[str, Any] = {
            "group.id": self._group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "on_commit": on_commit,
        }
        member = Consumer(self._connection() | own)
        self._members.append(member)
        return member

    def write(self, *records: Written) -> None:
        async def write() -> None:
            publisher = Publisher(self._connection() | {"linger.ms": 0, "partitioner": "murmur2_random"})
            try:
                await _publish(publisher, self.topic, records)
            finally:
                await publisher.close(5.0)

        asyncio.run(write())

    def _connection(self) -> dict[str, Any]:
        return self._broker.client_settings | {"bootstrap.servers": self._broker.bootstrap, "log_level": 0}


class SimulatedStage:
    """The simulated broker, on virtual time."""

    def __init__(self) -> None:
        self._chance = Random(0)
        self._loop = VirtualLoop(self._chance)
        self._trace = Trace(self._loop.time)
        self._thread = Lockstep()
        self._tasks: list[asyncio.Task[None]] = []
        self.clock = self._loop.time
        self.topic = "alike"
        self._broker = Broker(now_ms=lambda: int(self.clock() * 1000), trace=self._trace, chance=self._chance)
        self._broker.create(self.topic, PARTITIONS)
        self._group = Group(
            self._broker.partitions(self.topic),
            loop=self._loop,
            spawn=lambda task: self._tasks.append(self._loop.create_task(task)),
            written=lambda: len(self._broker.written),
            trace=self._trace,
            chance=self._chance,
        )

    def play(self, script: Callable[[], None]) -> None:
        try:
            self._loop.run_until_complete(self._thread.run(script))
        finally:
            self._loop.close()

    def member(self, on_commit: Answered) -> Member:
        return Member(
            self._process(),
            self._thread,
            self._broker,
            self._group,
            loop=self._loop,
            chance=self._chance,
            manners=Manners(),
            on_commit=on_commit,
        )

    def write(self, *records: Written) -> None:
        publisher = SimulatedPublisher(
            self._process(),
            self._broker,
            loop=self._loop,
            spawn=lambda task: self._tasks.append(self._loop.create_task(task)),
            chance=self._chance,
            delivery=Delivery,
        )
        self._thread.wait_for(_publish(publisher, self.topic, records))

    def _process(self) -> Process:
        return Process("one", self._loop, self._trace)


async def _publish(publisher: Publisher | SimulatedPublisher, topic: str, records: Sequence[Written]) -> None:
    for record in records:
        await publisher.publish(
            topic, key=record.key, value=record.value, headers=record.headers, timestamp_ms=record.timestamp_ms
        )
