"""Letters in hand: those of one cart or order one at a time and in order, all others side by side, and not too many.

Each goes the way of every event, from its original record; then what became of it is marked. A crash between the two
does no harm: redriven again, it is found settled. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from structlog.typing import FilteringBoundLogger

from worker.dlq.marking import Marking, Refusal
from worker.dlq.selecting import Found
from worker.errors import Abandoned, WorkerError
from worker.lanes import Lanes, Place, lane_keys
from worker.ledger.entries import Redo
from worker.pipeline import Pipeline
from worker.stopping import Stop
from worker.telemetry import names
from worker.work import Fate, Work

LOOK_SECONDS: Final = 0.1


@dataclass(slots=True)
class Tally:
    """What became of letters: `results` of those that were redriven, `left` of those that were left alone.

    `unsettled` were begun and are as they were; `defects` met a defect of ours.
    """

    results: Counter[Fate] = field(default_factory=Counter)
    left: Counter[Refusal] = field(default_factory=Counter)
    unsettled: int = 0
    defects: int = 0


@dataclass(eq=False, slots=True)
class _Errand:
    found: Found
    work: Work


class Hand:
    """At most `room` letters at a time. `stop` ends what waits; `clock` is monotonic seconds."""

    def __init__(
        self,
        pipeline: Pipeline,
        marking: Marking,
        stop: Stop,
        *,
        room: int,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self._pipeline = pipeline
        self._marking = marking
        self._stop = stop
        self._clock = clock
        self._log = log
        self._room = asyncio.Semaphore(room)
        self._lanes: Lanes[_Errand] = Lanes()
        self._works: dict[_Errand, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.tally = Tally()
        self.failure: WorkerError | None = None
        self._moved_at = clock()

    @property
    def count(self) -> int:
        """How many are in hand."""
        return len(self._works)

    @property
    def waits_for(self) -> Counter[str]:
        """What those in hand wait for, in words."""
        return Counter(errand.work.waits_for for errand in self._works)

    @property
    def still_seconds(self) -> float:
        """For how long nothing was settled though something is in hand."""
        return self._clock() - self._moved_at if self._works else 0.0

    async def take(self, found: Found) -> None:
        """One more, as soon as there is room. Raises Abandoned when a stop is asked for first."""
        await self._stop.wait(asyncio.ensure_future(self._room.acquire()))
        if not self._works:
            self._moved_at = self._clock()
        letter = found.letter
        redo = None if letter.key is None else Redo(letter.key)
        work = Work(
            letter.original,
            self._stop,
            read_at=self._clock(),
            redo=redo,
            redrives=letter.redrives + 1,
            failing=letter.failing,
        )
        errand = _Errand(found, work)
        self._works[errand] = None
        try:
            work.decoded = await self._pipeline.decode(work)
        except BaseException:
            self._over(errand)
            raise
        self._line_up(errand)

    async def finished(self, seconds: float) -> None:
        """Returns when nothing is in hand any more; `seconds` after a stop was asked for at the latest."""
        until: float | None = None
        while self._tasks or (self._works and not self._stop.asked):
            if self._stop.asked:
                until = self._clock() + seconds if until is None else until
                if self._clock() >= until:
                    break
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=LOOK_SECONDS)
            else:
                await asyncio.sleep(LOOK_SECONDS)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        for errand in self._works:  # they wait to come back
            errand.work.span.end()
            self.tally.unsettled += 1
        self._works.clear()

    def _line_up(self, errand: _Errand) -> None:
        event = errand.work.event
        place = self._lanes.join(errand, lane_keys(event) if event is not None else ())
        if place.ahead == 0:
            self._begin(place)
        else:
            errand.work.waits_for = "an earlier letter of its cart or order"
            errand.work.queued_for = "lane"

    def _begin(self, place: Place[_Errand]) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(place))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, place: Place[_Errand]) -> None:
        errand = place.work
        try:
            later = await self._redriven(errand)
        except (Abandoned, asyncio.CancelledError):
            self.tally.unsettled += 1
            self._over(errand)
        except WorkerError as error:  # what cannot be waited out
            self.failure = error
            self.tally.unsettled += 1
            self._over(errand)
            self._stop.ask()
        except Exception:
            self._log.exception(names.LOG_HELD, **errand.work.place, mend="a defect: this letter stays as it is")
            self.tally.defects += 1
            self._over(errand)
        else:
            if later is None:
                self._over(errand)
            elif not self._stop.asked:
                asyncio.get_running_loop().call_later(later, self._back, errand)
        for ready in self._lanes.leave(place):
            self._begin(ready)

    async def _redriven(self, errand: _Errand) -> float | None:
        """Seconds after which to come back; None: it is done with."""
        found, work = errand.found, errand.work
        work.waits_for = "the ledger"
        if self._stop.asked:
            raise Abandoned("stopped before its turn")
        if not work.looks and (refused := await self._marking.take(found.letter, (found.state,))) is not None:
            self.tally.left[refused] += 1
            return None
        try:
            later = await self._pipeline.settle(work)
        except BaseException:
            await self._marking.let_go(found.letter, found.mark)
            raise
        if later is not None:
            return later.seconds
        work.waits_for = "the ledger, to remember what became of it"
        await self._marking.redriven(found.letter, work.fate, work.trace_id)
        self.tally.results[work.fate] += 1
        self._moved_at = self._clock()
        return None

    def _back(self, errand: _Errand) -> None:
        if errand in self._works and not self._stop.asked:
            self._line_up(errand)

    def _over(self, errand: _Errand) -> None:
        del self._works[errand]
        self._room.release()
