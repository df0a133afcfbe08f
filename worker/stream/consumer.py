"""The thread that owns the consumer, and the way from it to the event loop. What it does: worker/stream/consumption.py.

librdkafka's consumer blocks, and calls back from within `consume` and `close`; so one thread has it from its making to
its end, and nothing else touches it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, KafkaException

from worker.dispatch import Dispatcher
from worker.errors import WorkerError
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.stream.brokers import Brokers
from worker.stream.client import said
from worker.stream.consumption import Consumption


class OnLoop:
    """A dispatcher, from another thread than that of its event loop."""

    def __init__(self, dispatcher: Dispatcher, loop: asyncio.AbstractEventLoop) -> None:
        self._dispatcher = dispatcher
        self._loop = loop

    def accept(self, batches: Sequence[tuple[Assignment, Sequence[Record]]]) -> None:
        """Hands records over; does not wait. Raises RuntimeError once the loop is closed."""
        self._loop.call_soon_threadsafe(self._dispatcher.accept, batches)

    def close(self, assignments: Sequence[Assignment], seconds: float) -> Future[None]:
        """Begins to close these, within so many seconds."""
        return asyncio.run_coroutine_threadsafe(self._dispatcher.close(assignments, seconds), self._loop)


class ConsumerThread(threading.Thread):
    """Consumes until told to stop. `ended` is called on the loop when all is over, with what went wrong, if it did."""

    def __init__(
        self,
        config: Mapping[str, Any],
        consumption: Consumption,
        *,
        brokers: Brokers,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[Exception | None], None],
    ) -> None:
        super().__init__(name="kafka-consumer", daemon=True)
        self._config = {**config, "on_commit": consumption.committed}
        self._consumption = consumption
        self._brokers = brokers
        self._loop = loop
        self._ended = ended
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Asks it to drain, commit, leave the group and end. From any thread."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stopping.is_set()

    def run(self) -> None:
        """The thread's whole life."""
        failure: Exception | None = None
        try:
            consumer = Consumer(self._config)
            try:
                self._consumption.begin(consumer)
                while not self._stopping.is_set():
                    self._consumption.turn()
                    self._brokers.look(consumer)
                self._consumption.drain()
            finally:
                consumer.close()
        except KafkaException as error:
            failure = WorkerError(said(error.args[0]))
        except Exception as error:  # handed over whole: the loop logs it, and ends with exit code 1
            failure = error
        self._loop.call_soon_threadsafe(self._ended, failure)
