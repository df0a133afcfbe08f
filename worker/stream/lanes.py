"""One lane per assigned partition: its records one at a time and in order, and how far they are settled.

A lane is made by the consumer's thread when a partition is assigned and thrown away when it is revoked; what a former
lane still reports is seen by nobody, so a completion from a former assignment is never committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from worker.errors import Abandoned, WorkerError
from worker.stopping import Stop
from worker.stream.records import Record
from worker.telemetry import names

Handle = Callable[[Record, Stop], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one lane may hold of records that are read but not settled; above it its partition is paused."""

    records: int
    bytes: int


class Lane:
    """The records of one partition. `settled` is the offset that may be committed, None before the first.

    The consumer's thread reads `settled` and `is_full`, and writes `committed`; all else belongs to the event loop.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        *,
        handle: Handle,
        limits: Limits,
        fail: Callable[[Exception], None],
        log: FilteringBoundLogger,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.settled: int | None = None
        self.committed: int | None = None
        self.paused = False
        self._handle = handle
        self._limits = limits
        self._fail = fail
        self._log = log
        self._queue: deque[Record] = deque()
        self._bytes = 0
        self._stop = Stop()
        self._working: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether it holds as much as it may."""
        return len(self._queue) >= self._limits.records or self._bytes >= self._limits.bytes

    @property
    def has_room(self) -> bool:
        """Whether it holds less than half of what it may."""
        return len(self._queue) * 2 <= self._limits.records and self._bytes * 2 <= self._limits.bytes

    def accept(self, records: Sequence[Record]) -> None:
        """Takes records of the partition, in order."""
        if self._stop.asked:
            return
        self._queue.extend(records)
        self._bytes += sum(record.size for record in records)
        if self._working is None or self._working.done():
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def close(self, seconds: float) -> None:
        """Starts nothing more, gives the event in hand so long to settle, then cuts it off."""
        self._stop.ask()
        self._queue.clear()
        if self._working is None or self._working.done():
            return
        await asyncio.wait({self._working}, timeout=seconds)
        if not self._working.done():
            self._working.cancel()
            await asyncio.wait({self._working})

    async def _work(self) -> None:
        while self._queue and not self._stop.asked:
            record = self._queue[0]
            try:
                await self._handle(record, self._stop)
            except (Abandoned, asyncio.CancelledError):
                self._log.info(names.LOG_ABANDONED, **self._place(record))
                return
            except WorkerError as error:
                self._fail(error)
                return
            except Exception:
                self._log.exception(
                    names.LOG_HELD, **self._place(record), mend="a defect: the partition waits here until a restart"
                )
                return
            self.settled = record.offset + 1
            if self._queue:
                self._queue.popleft()
                self._bytes -= record.size

    def _place(self, record: Record) -> dict[str, str | int]:
        return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


async def close_all(lanes: Sequence[Lane], seconds: float) -> None:
    """Closes lanes side by side, within one time limit."""
    await asyncio.gather(*(lane.close(seconds) for lane in lanes))
