"""A producer on the simulated broker: what it writes may fail, come late, or be there though the report was lost.

It stands for `worker.stream.publisher.Publisher`. A record that was given to it and not yet sent dies with its process.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

from simulation.broker import Broker
from simulation.processes import Process
from worker.errors import DeliveryFailed
from worker.record import Headers
from worker.stream.publisher import Place

LOOK_SECONDS = 0.1
TIMED_OUT = "Local: Message timed out (_MSG_TIMED_OUT)"
TOO_LARGE = "Broker: Message size too large (MSG_SIZE_TOO_LARGE)"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How writing goes: seconds of a round trip, of the time after which it is given up, and shares that go wrong."""

    round_trip: float = 0.01
    give_up: float = 5.0
    fails: float = 0.0
    report_lost: float = 0.0
    max_bytes: int = 1_000_000


class SimulatedPublisher:
    """Writes records for one process. `spawn` begins a task that outlives it: what is sent goes its own way."""

    def __init__(
        self,
        process: Process,
        broker: Broker,
        *,
        loop: asyncio.AbstractEventLoop,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        chance: Random,
        delivery: Callable[[], Delivery],
    ) -> None:
        self._process = process
        self._broker = broker
        self._loop = loop
        self._spawn = spawn
        self._chance = chance
        self._delivery = delivery

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int | None = None
    ) -> Place:
        """Writes one record. Raises DeliveryFailed when no acknowledgement came, or the broker refused it."""
        self._process.step(f"write to {topic}")
        report: asyncio.Future[Place] = self._loop.create_future()
        self._spawn(self._send(report, topic, key, value, headers, timestamp_ms))
        place = await report
        self._process.step(f"written to {topic}")
        return place

    async def _send(
        self,
        report: asyncio.Future[Place],
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        timestamp_ms: int | None,
    ) -> None:
        await self._pass_time()
        for _ in range(math.ceil(self._delivery().give_up / LOOK_SECONDS)):
            if self._process.linked or not self._process.alive:
                break
            await asyncio.sleep(LOOK_SECONDS)
        if not self._process.alive:
            return
        delivery = self._delivery()
        size = len(value or b"") + len(key or b"") + sum(len(name) + len(text or b"") for name, text in headers)
        error: DeliveryFailed | None = None
        if size > delivery.max_bytes:
            error = DeliveryFailed(f"{topic}: {TOO_LARGE}", too_large=True)
        elif not self._process.linked or self._happens(delivery.fails):
            error = DeliveryFailed(f"{topic}: {TIMED_OUT}")
        else:
            record = self._broker.append(topic, key=key, value=value, headers=headers, timestamp_ms=timestamp_ms)
            if self._happens(delivery.report_lost):
                error = DeliveryFailed(f"{topic}: {TIMED_OUT}")
        await self._pass_time()
        if report.done():
            return
        if error is None:
            report.set_result((record.partition, record.offset))
        else:
            report.set_exception(error)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share

    async def _pass_time(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, self._delivery().round_trip))
