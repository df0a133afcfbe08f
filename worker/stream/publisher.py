"""The producer: a record is written when the broker has acknowledged it, on all in-sync replicas.

Delivery reports come on a thread of their own and cross to the event loop in batches.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from worker.errors import DeliveryFailed
from worker.record import Headers

Place = tuple[int, int]
"""The partition and the offset at which a record stands."""

POLL_SECONDS = 0.1
QUEUE_FULL_SECONDS = 0.05


class Publisher:
    """Writes records and waits for their acknowledgement. Made and closed on the event loop."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._producer = Producer(dict(config))
        self._loop = asyncio.get_running_loop()
        self._reports: deque[tuple[asyncio.Future[Place], Place | DeliveryFailed]] = deque()
        self._crossing = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-producer", daemon=True)
        self._thread.start()

    async def publish(
        self, topic: str, *, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int | None = None
    ) -> Place:
        """Writes one record. Raises DeliveryFailed when the broker did not acknowledge it in time, or refused it."""
        done: asyncio.Future[Place] = self._loop.create_future()

        def report(error: KafkaError | None, message: Message) -> None:
            self._reports.append((done, _place(message) if error is None else _failed(topic, error)))
            if not self._crossing:
                self._crossing = True
                self._loop.call_soon_threadsafe(self._settle)

        given: dict[str, Any] = {} if timestamp_ms is None else {"timestamp": timestamp_ms}
        while True:
            try:
                self._producer.produce(topic, value, key, headers=list(headers), on_delivery=report, **given)
                break
            except BufferError:
                await asyncio.sleep(QUEUE_FULL_SECONDS)
            except KafkaException as error:
                raise _failed(topic, error.args[0]) from None
        return await done

    async def reaches_brokers(self, seconds: float) -> bool:
        """Whether a broker answers within so many seconds."""
        try:
            await asyncio.to_thread(self._producer.list_topics, timeout=seconds)
        except KafkaException:
            return False
        return True

    async def close(self, seconds: float) -> None:
        """Waits at most so long for what is under way."""
        await asyncio.to_thread(self._producer.flush, seconds)
        self._closing.set()
        await asyncio.to_thread(self._thread.join, POLL_SECONDS * 10)

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(POLL_SECONDS)

    def _settle(self) -> None:
        self._crossing = False
        while self._reports:
            done, came = self._reports.popleft()
            if done.done():
                continue
            if isinstance(came, DeliveryFailed):
                done.set_exception(came)
            else:
                done.set_result(came)


def _place(message: Message) -> Place:
    return int(message.partition() or 0), int(message.offset() or 0)


def _failed(topic: str, error: KafkaError) -> DeliveryFailed:
    return DeliveryFailed(
        f"{topic}: {error.str()} ({error.name()})",
        too_large=error.code() == KafkaError.MSG_SIZE_TOO_LARGE,
        fatal=error.fatal(),
    )
