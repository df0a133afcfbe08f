"""Hands each record its turn: the events of one cart one at a time and in order, all carts side by side.

Records of a partition are decoded in the order in which they were read, since only the event tells its cart; from there
on each goes its own way. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from worker.decode.decoder import Decoded
from worker.errors import Abandoned, WorkerError
from worker.lanes import Lanes, Place, lane_keys
from worker.pipeline import LEFT, Later
from worker.record import Record
from worker.stream.assignment import Assignment
from worker.telemetry import names
from worker.telemetry.meters import Meters
from worker.urgency import Kind, Ready, kind_of
from worker.work import Work

BREATH = 50
GROUP = 250


class _Errand(Struct, eq=False):
    work: Work
    assignment: Assignment
    kind: Kind


class Steps(Protocol):
    """What is done with each event: a pipeline (worker/pipeline.py), or what stands around it."""

    async def decode(self, work: Work) -> Decoded:
        """See `Pipeline.decode`."""

    async def settled_before(self, works: Sequence[Work]) -> set[int]:
        """See `Pipeline.settled_before`."""

    async def settle(self, work: Work) -> Later | None:
        """See `Pipeline.settle`."""


def _nobody(_: Assignment, __: Work) -> None: ...


class Dispatcher:
    """The events in hand of all assigned partitions; `max_under_way` of them are begun and not settled at one time.

    Of those whose turn it is the more urgent begin first, and no kind takes all the places (worker/urgency.py).
    `fail` hears of what cannot be waited out, `tell` of each record that is settled. `repeating`: what comes first is
    thought to be settled before.
    """

    def __init__(
        self,
        pipeline: Steps,
        *,
        max_under_way: int,
        clock: Callable[[], float],
        fail: Callable[[Exception], None],
        log: FilteringBoundLogger,
        meters: Meters,
        tell: Callable[[Assignment, Work], None] = _nobody,
        repeating: bool = False,
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._fail = fail
        self._log = log
        self._meters = meters
        self._lanes: Lanes[_Errand] = Lanes()
        self._ready: Ready[Place[_Errand]] = Ready(max_under_way)
        self._tell = tell
        self._repeating = repeating
        self._parked: dict[_Errand, asyncio.TimerHandle] = {}

    @property
    def lanes(self) -> int:
        """How many carts and orders have an event in hand."""
        return len(self._lanes)

    @property
    def under_way(self) -> int:
        """How many events are begun and not settled."""
        return self._ready.begun

    def accept(self, batches: Sequence[tuple[Assignment, Sequence[Record]]]) -> None:
        """Takes records as they were fetched, in order within each partition."""
        for assignment, records in batches:
            self._meters.consumed.add((assignment.topic,), len(records))
            if assignment.stop.asked or assignment.defective:
                continue
            for record in records:
                assignment.read(record)
            if assignment.reading is None or assignment.reading.done():
                assignment.reading = asyncio.get_running_loop().create_task(self._read(assignment))

    async def close(self, assignments: Sequence[Assignment], seconds: float) -> None:
        """Starts nothing more of these partitions, gives what is under way so long to settle, then cuts it off."""
        for assignment in assignments:
            assignment.stop.ask()
            assignment.unread.clear()
        for errand in [errand for errand in self._parked if errand.assignment in assignments]:
            self._parked.pop(errand).cancel()
            self._left(errand.work)
        under_way = _tasks(assignments)
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=seconds)
            for task in late:
                task.cancel()
        while under_way := _tasks(assignments):
            await asyncio.wait(under_way)

    async def _read(self, assignment: Assignment) -> None:
        """Decodes what was read, and lines it up. While old events come again, those are passed by the group."""
        count = 0
        while assignment.unread:
            count += 1
            if count % BREATH == 0:
                await asyncio.sleep(0)  # so that calls and probes are not kept waiting by a backlog
            if not self._repeating:
                if (work := await self._decoded(assignment)) is None:
                    return
                self._line_up(_Errand(work, assignment, kind_of(work.event)))
            elif not await self._read_again(assignment):
                return

    async def _read_again(self, assignment: Assignment) -> bool:
        """Reads a group, of which what is settled already takes no turn. False when the partition is read no more."""
        works: list[Work] = []
        while assignment.unread and len(works) < GROUP:
            work = await self._decoded(assignment)
            if work is None:
                break
            works.append(work)
        try:
            settled = await self._pipeline.settled_before(works)
        except (Abandoned, asyncio.CancelledError):
            for work in works:
                self._left(work)
            return False
        except Exception:
            self._stop_reading(assignment, works)
            return False
        self._repeating = bool(settled)
        for work in works:
            if work.record.offset in settled:
                self._settled(work, assignment)
            else:
                self._line_up(_Errand(work, assignment, kind_of(work.event)))
        return not assignment.stop.asked and not assignment.defective

    async def _decoded(self, assignment: Assignment) -> Work | None:
        """The next record, decoded; None when nothing more of the partition can be read."""
        record = assignment.unread.popleft()
        work = Work(record, assignment.stop, read_at=self._clock())
        assignment.in_hand[record.offset] = (work, work.read_at)
        try:
            work.decoded = await self._pipeline.decode(work)
        except (Abandoned, asyncio.CancelledError):
            self._left(work)
            return None
        except Exception:
            self._stop_reading(assignment, [work])
            return None
        return work

    def _line_up(self, errand: _Errand) -> None:
        event = errand.work.event
        place = self._lanes.join(errand, lane_keys(event) if event is not None else ())
        if place.ahead == 0:
            self._begin(place)
            self._start_some()
        elif not errand.work.looks:
            errand.work.waits_for = "an earlier event of its cart or order"
            errand.work.queued_for = "lane"

    def _begin(self, place: Place[_Errand]) -> None:
        if not place.work.work.looks:
            place.work.work.waits_for = "its turn"
        self._ready.add(place, place.work.kind)

    def _start_some(self) -> None:
        while (place := self._ready.begin()) is not None:
            if place.work.assignment.stop.asked:
                self._ready.over(place.work.kind)
                self._next(place)
            else:
                self._start(place)

    def _start(self, place: Place[_Errand]) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(place))
        place.work.assignment.tasks.add(task)
        task.add_done_callback(partial(self._over, place))

    def _over(self, place: Place[_Errand], task: asyncio.Task[None]) -> None:
        place.work.assignment.tasks.discard(task)
        self._ready.over(place.work.kind)
        self._start_some()

    async def _carry_out(self, place: Place[_Errand]) -> None:
        work, assignment = place.work.work, place.work.assignment
        try:
            later = await self._pipeline.settle(work)
        except (Abandoned, asyncio.CancelledError):
            self._left(work)
        except WorkerError as error:
            self._fail(error)
            return
        except Exception:
            self._held(work)
            return
        else:
            if later is None:
                self._settled(work, assignment)
                self._repeating = work.fate == "settled before"
            else:
                self._park(place.work, later.seconds)
        self._next(place)

    def _settled(self, work: Work, assignment: Assignment) -> None:
        self._tell(assignment, work)
        self._meters.settled.add((assignment.topic, work.fate))
        assignment.settled(work.record)

    def _park(self, errand: _Errand, seconds: float) -> None:
        """It makes way for those behind it, and comes back at the end of their line."""
        if errand.assignment.stop.asked:
            self._left(errand.work)
        else:
            self._parked[errand] = asyncio.get_running_loop().call_later(seconds, self._back, errand)

    def _back(self, errand: _Errand) -> None:
        del self._parked[errand]
        self._line_up(errand)

    def _next(self, place: Place[_Errand]) -> None:
        """Those behind it may begin; those of a partition that is not ours any more are passed over."""
        leaving = [place]
        while leaving:
            for ready in self._lanes.leave(leaving.pop()):
                if ready.work.assignment.stop.asked:
                    leaving.append(ready)
                else:
                    self._begin(ready)

    def _left(self, work: Work) -> None:
        if work.span.is_recording():  # it was parked
            work.span.set_attribute(names.ROKT_FATE, LEFT)
            work.span.end()
        self._log.info(names.LOG_ABANDONED, **work.place, waited_for=work.waits_for)

    def _stop_reading(self, assignment: Assignment, works: Sequence[Work]) -> None:
        """A defect before the carts of these are known, so what is behind them in the partition must wait."""
        assignment.defective = True
        assignment.unread.clear()
        for work in works:
            self._held(work)

    def _held(self, work: Work) -> None:
        """A defect: this event stops, and those behind it, until a restart; it is not lost and not committed."""
        work.waits_for = "a mended worker: it met a defect, see the log"
        self._meters.held.add((work.record.topic,))
        self._log.exception(names.LOG_HELD, **work.place, mend="a defect: its cart waits here until a restart")


def _tasks(assignments: Sequence[Assignment]) -> set[asyncio.Task[None]]:
    tasks = {task for assignment in assignments for task in assignment.tasks}
    return tasks | {a.reading for a in assignments if a.reading is not None and not a.reading.done()}
