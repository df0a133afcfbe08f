"""Puts dead letters back through the worker's own path: to this group only, never into the shop's topics."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from dataclasses import dataclass, field
from typing import Final, Literal

from structlog.typing import FilteringBoundLogger

from worker import process, wiring
from worker.dlq.asking import Asked, Search, Tell, events_of, ledger, searching, topics_of
from worker.dlq.counting import Counts
from worker.dlq.hand import Hand, Tally
from worker.dlq.marking import Marking
from worker.dlq.marks import room
from worker.dlq.selecting import Found
from worker.errors import Abandoned, WorkerError, words
from worker.ledger.patience import Patience
from worker.ledger.store import Store
from worker.looking import constants
from worker.settings import Settings
from worker.stopping import Stop
from worker.telemetry import export
from worker.telemetry.gate_log import MENDS
from worker.telemetry.metrics import Metrics

CLOSE_SECONDS: Final = 5.0
TELL_SECONDS: Final = 0.5
STILL_SECONDS: Final = 1.0
HANDS: Final = 2  # letters in hand for each call that may be under way: while some wait, others call
Ended = Literal["done", "stopped", "timed out", "failed"]


@dataclass(frozen=True, slots=True)
class Terms:
    """How to go about it. `rate`: letters a second at most; `limit`: letters in all.

    Letters that were redriven `max_redrives` times are left alone. It ends when nothing was settled for `seconds`.
    """

    rate: float | None
    limit: int | None
    max_redrives: int
    seconds: float


@dataclass(slots=True)
class Report:
    """How it ended: `letters` = those in the tally + `too_often` redriven before; `counts` is how it stood before.

    `waited_for` is what those wanted that are not settled; `failure` why it `ended` as "failed".
    """

    counts: Counts = field(default_factory=Counts)
    letters: int = 0
    too_often: int = 0
    tally: Tally = field(default_factory=Tally)
    ended: Ended = "done"
    waited_for: list[str] = field(default_factory=list)
    failure: WorkerError | None = None

    @property
    def whole(self) -> bool:
        """Whether all that was meant was done."""
        return self.ended == "done" and not self.tally.unsettled and not self.tally.defects


async def would_be(asked: Asked, terms: Terms, settings: Settings, tell: Tell) -> Report:
    """What a redrive would take. Changes nothing. Raises SettingsError and WorkerError."""
    report = Report()
    async with (
        ledger(settings, write=False) as store,
        events_of(settings) as events,
        searching(asked, settings, store, events, tell) as search,
    ):
        async for batch in search.found:
            often = sum(found.letter.redrives >= terms.max_redrives for found in batch)
            report.too_often += often
            report.letters += len(batch)
        report.counts = search.selection.counts
    if terms.limit is not None:
        report.letters = min(report.letters, terms.limit + report.too_often)
    return report


def redriven(asked: Asked, terms: Terms, settings: Settings, log: FilteringBoundLogger, tell: Tell) -> Report:
    """Redrives until all is done, a signal comes, or nothing moves any more. Raises SettingsError and WorkerError."""
    process.on_defects(log)
    outlets = export.outlets(os.environ)
    with asyncio.Runner(loop_factory=process.loop_factory()) as runner:
        return runner.run(_redriven(asked, terms, settings, outlets, log, tell))


async def _redriven(
    asked: Asked, terms: Terms, settings: Settings, outlets: export.Outlets, log: FilteringBoundLogger, tell: Tell
) -> Report:
    async with ledger(settings, write=True) as store, events_of(settings) as events:
        topics_of(settings, asked.filters.topics, asked.filters.places)
        core = wiring.core(settings, tracer=outlets.tracer, log=log)
        metrics = Metrics(core.around.meters, dict, outlets, constants=constants(settings), scraped=False)
        run = _Run(terms, settings, core, store, tell)
        process.on_signals(asyncio.get_running_loop(), run.stopped)
        core.ledger.start(run.failed)
        beside = [asyncio.create_task(run.watch()), asyncio.create_task(metrics.watch(log))]
        try:
            async with searching(asked, settings, store, events, run.now_read) as search:
                await run.take_all(search)
        except WorkerError as error:
            run.failed(error)
        finally:
            await run.finish()
            for task in beside:
                task.cancel()
            await core.close(flush_seconds=process.FLUSH_SECONDS, ledger_seconds=CLOSE_SECONDS)
            await process.flush(outlets, metrics)
        return run.report


class _Run:
    """One redrive, from the first letter to the report."""

    def __init__(self, terms: Terms, settings: Settings, core: wiring.Core, store: Store, tell: Tell) -> None:
        self._terms = terms
        self._settings = settings
        self._core = core
        self._store = store
        self._tell = tell
        self._stop = Stop()
        self._read = ""
        self._next_at = 0.0
        marking = Marking(store, Patience(core.around), str(uuid.uuid4()))
        hands = settings.rokt.max_concurrency * HANDS
        self._hand = Hand(core.pipeline, marking, self._stop, room=hands, clock=time.monotonic, log=core.around.log)
        self.report = Report(tally=self._hand.tally)

    def stopped(self) -> None:
        """A signal came."""
        self._end("stopped")

    def failed(self, error: Exception) -> None:
        """What cannot be waited out."""
        self.report.failure = error if isinstance(error, WorkerError) else WorkerError(words(error))
        self._end("failed")

    def now_read(self, text: str) -> None:
        """How far the topics are read."""
        self._read = text

    async def take_all(self, search: Search) -> None:
        """Takes letter after letter until all are in hand, or it is to end. Raises WorkerError from the reading."""
        self.report.counts = search.selection.counts
        for (topic, partition), start in search.extent.starts.items():
            await self._store.drop(room(topic, partition), start)  # marks of letters that are gone
        try:
            while (batch := await self._stop.wait(asyncio.ensure_future(_next(search)))) is not None:
                for found in batch:
                    if found.letter.redrives >= self._terms.max_redrives:
                        self.report.letters += 1
                        self.report.too_often += 1
                        continue
                    if self._terms.limit == self.report.letters - self.report.too_often:
                        return
                    await self._pause()
                    await self._hand.take(found)
                    self.report.letters += 1
        except Abandoned:
            return

    async def finish(self) -> None:
        """Gives what is in hand its time."""
        await self._hand.finished(self._settings.shutdown.drain_seconds)
        if self._hand.failure is not None:
            self.failed(self._hand.failure)

    async def watch(self) -> None:
        """Says how it goes; ends it when nothing moves any more."""
        while True:
            self._tell(self._standing())
            if self._hand.still_seconds > self._terms.seconds and not self._stop.asked:
                self._end("timed out")
            await asyncio.sleep(TELL_SECONDS)

    def _end(self, ended: Ended) -> None:
        if self.report.ended == "done":
            self.report.ended = ended
            self.report.waited_for = self._waits()
        self._stop.ask()

    async def _pause(self) -> None:
        """So that no more than so many letters a second set out. Raises Abandoned."""
        if self._terms.rate is None:
            return
        now = time.monotonic()
        self._next_at = max(self._next_at, now)
        wait, self._next_at = self._next_at - now, self._next_at + 1 / self._terms.rate
        if wait > 0:
            await self._stop.sleep(wait)

    def _standing(self) -> str:
        tally = self._hand.tally
        said = [f"{sum(tally.results.values()):,} redriven"]
        if tally.results["dead-lettered"]:
            said.append(f"{tally.results['dead-lettered']:,} of them dead-lettered again")
        if self._hand.count:
            said.append(f"{self._hand.count:,} in hand")
        waits = self._waits()[:2] if self._hand.still_seconds > STILL_SECONDS else []
        return "; ".join((", ".join(part for part in (*said, self._read) if part), *waits))

    def _waits(self) -> list[str]:
        """What it waits for, the weightiest first: what holds back all calls, then what letters stand at."""
        said = ["no broker answers"] if self._core.brokers.down else []
        for circuit in self._core.gate.state.circuits:
            mend = MENDS.get(circuit.circuit)
            said.append(
                f"{circuit.circuit}: {circuit.why}, for {circuit.seconds:.0f} s" + (f"; {mend}" if mend else "")
            )
        return said + [f"waits for {what}: {count:,}" for what, count in self._hand.waits_for.most_common(3)]


async def _next(search: Search) -> list[Found] | None:
    return await anext(search.found, None)
