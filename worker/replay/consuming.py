"""The partitions that a process of a replay has: where each goes on, how far it goes, and what came of its records.

Where they go on is asked of what is kept (worker/replay/progress.py), not of the group: what is committed is for the
eyes of others. Each stretch ends where the plan says, whatever is written behind it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import OFFSET_END, TopicPartition
from structlog.typing import FilteringBoundLogger

from worker.dispatch import Dispatcher
from worker.errors import WorkerError
from worker.record import Record
from worker.replay.plan import Partition, Plan
from worker.replay.progress import Progress
from worker.replay.selecting import Selecting
from worker.replay.tally import Tally
from worker.settings import KafkaSettings
from worker.stream import config
from worker.stream.assignment import Assignment
from worker.stream.client import Client
from worker.work import Work

ASK_SECONDS: Final = 20.0
GO_ON: Final = "the same command goes on from there"


def group_of(kafka: KafkaSettings, name: str) -> str:
    """The consumer group of a replay."""
    return f"{kafka.group_id}.replay.{name}"


def consumer_config(
    kafka: KafkaSettings, name: str, log: FilteringBoundLogger, trouble: config.Trouble
) -> dict[str, Any]:
    """Properties of a replay's consumer: the live one's, in a group of its own, of which it is no fixed member."""
    own = kafka.model_copy(update={"group_id": group_of(kafka, name)})
    found = config.consumer_config(own, log, trouble)
    found.pop("group.instance.id", None)
    return found


class Reading:
    """The partitions of one process; what it counts of them, and when that is kept.

    `take` and `lost` are called on the consumer's thread, all else on the event loop.
    """

    def __init__(
        self, plan: Plan, progress: Progress, selecting: Selecting, *, eager: bool, loop: asyncio.AbstractEventLoop
    ) -> None:
        """`eager`: see worker/stream/config.py."""
        self._ends: Mapping[Partition, int] = {(s.topic, s.partition): s.end for s in plan.stretches}
        self._progress = progress
        self._selecting = selecting
        self._eager = eager
        self._loop = loop
        self._tallies: dict[Assignment, Tally] = {}

    def take(self, client: Client, partitions: list[TopicPartition]) -> list[Assignment]:
        """Those that were assigned, each from where it goes on. Raises WorkerError when that is not known in time."""
        if not partitions:
            return []
        ours = [place for p in partitions if (place := (p.topic, p.partition)) in self._ends]
        positions = self._asked(ours) if ours else {}
        taken = [self._assignment((p.topic, p.partition), positions) for p in partitions]
        places = [
            TopicPartition(a.topic, a.partition, OFFSET_END if a.over or a.next_offset is None else a.next_offset)
            for a in taken
        ]
        (client.assign if self._eager else client.incremental_assign)(places)
        return taken

    def tell(self, assignment: Assignment, work: Work) -> None:
        """A record is settled."""
        self._tally(assignment).note(work.record.offset, self._selecting.part(work), work.calls)

    def lost(self, assignment: Assignment, first: int, end: int) -> None:
        """Records were deleted before they were read."""
        self._tally(assignment).lost(first, end)

    async def save(self, assignments: Sequence[Assignment]) -> None:
        """Keeps how far these are settled."""
        for assignment in assignments:
            partition = assignment.topic, assignment.partition
            upto = _upto(assignment)
            if upto is not None and partition in self._ends:
                await self._progress.add(partition, self._tally(assignment), upto)

    def is_at_its_end(self, assignments: Sequence[Assignment]) -> bool:
        """Whether all of these are settled to their end, and that is not kept of all yet."""
        places = [((a.topic, a.partition), _upto(a)) for a in assignments]
        ends = [(place, upto) for place, upto in places if place in self._ends]
        if any(upto is None or upto < self._ends[place] for place, upto in ends):
            return False
        return any(self._progress.upto(place) != upto for place, upto in ends)

    def forget(self, assignments: Sequence[Assignment]) -> None:
        """These are not ours any more."""
        for assignment in assignments:
            self._tallies.pop(assignment, None)

    def _tally(self, assignment: Assignment) -> Tally:
        return self._tallies.setdefault(assignment, Tally())

    def _assignment(self, partition: Partition, positions: Mapping[Partition, int]) -> Assignment:
        if partition not in positions:
            outside = Assignment(*partition, end=0)
            outside.reached(0)
            return outside
        upto = positions[partition]
        assignment = Assignment(*partition, next_offset=upto, end=self._ends[partition])
        assignment.last_fetched = upto - 1  # so that a log that was made anew since is not taken for the one planned
        assignment.reached(upto)
        return assignment

    def _asked(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Waits for the event loop; the group holds on to a member that does, for longer than this."""
        asked = asyncio.run_coroutine_threadsafe(self._progress.positions(partitions), self._loop)
        try:
            return asked.result(ASK_SECONDS)
        except TimeoutError:
            asked.cancel()
            raise WorkerError(
                f"the ledger did not say within {ASK_SECONDS:g} s how far the replay has come; {GO_ON}"
            ) from None


class OnLoop:
    """A dispatcher, from another thread than that of its event loop; what it closes is kept before it is given up."""

    def __init__(self, dispatcher: Dispatcher, reading: Reading, loop: asyncio.AbstractEventLoop) -> None:
        self._dispatcher = dispatcher
        self._reading = reading
        self._loop = loop

    def accept(self, batches: Sequence[tuple[Assignment, Sequence[Record]]]) -> None:
        """Hands records over; does not wait. Raises RuntimeError once the loop is closed."""
        self._loop.call_soon_threadsafe(self._dispatcher.accept, batches)

    def close(self, assignments: Sequence[Assignment], seconds: float) -> Future[None]:
        """Begins to close these, within so many seconds; then keeps how far they are settled."""
        return asyncio.run_coroutine_threadsafe(self._close(assignments, seconds), self._loop)

    async def _close(self, assignments: Sequence[Assignment], seconds: float) -> None:
        await self._dispatcher.close(assignments, seconds)
        await self._reading.save(assignments)
        self._reading.forget(assignments)


def _upto(assignment: Assignment) -> int | None:
    """The offset below which all is settled, or is not there; None while nothing is."""
    if assignment.over and assignment.gap == 0:
        return assignment.end
    return assignment.committable
