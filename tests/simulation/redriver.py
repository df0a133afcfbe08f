"""A person who redrives: a process of its own that puts dead letters through the path again, beside live workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulation.core import CLOSE_SECONDS, assemble
from simulation.processes import Process
from worker.errors import Abandoned
from worker.ledger.entries import Redo
from worker.record import Record
from worker.stopping import Stop
from worker.work import Fate, Work

if TYPE_CHECKING:
    from simulation.world import World

REJECTIONS = 50
AT_ONCE = 4
LOOK_SECONDS = 0.5
FIRST_OF_OURS = "dlq.reason"


@dataclass(eq=False, slots=True)
class Redrive:
    """One letter in one redriver's hands, from `begun_at` (virtual seconds), when so many records were `written`.

    `fate` is what became of it; None: its redriver crashed, or was told to stop.
    """

    letter: Record
    by: Process
    begun_at: float
    written: int
    fate: Fate | None = None
    source: tuple[str, int, int] = field(init=False)
    reason: str = field(init=False)
    key: str = field(init=False)
    redrives: int = field(init=False)

    def __post_init__(self) -> None:
        told = {name: (text or b"").decode() for name, text in self.letter.headers}
        self.source = told["dlq.source.topic"], int(told["dlq.source.partition"]), int(told["dlq.source.offset"])
        self.reason, self.key = told["dlq.reason"], told["dlq.idempotency-key"]
        self.redrives = int(told["dlq.redrives"])

    @property
    def work(self) -> Record:
        """The record as it was when it was read first."""
        letter = self.letter
        ours = next(n for n, (name, _) in enumerate(letter.headers) if name == FIRST_OF_OURS)
        return Record(*self.source, letter.key, letter.value, letter.headers[:ours], letter.timestamp_ms)


class Redriver:
    """Redrives these letters, those of one key one after the other; `start` it once. `patience` is in seconds."""

    def __init__(self, world: World, process: Process, letters: Sequence[Record], *, patience: float) -> None:
        self.process = process
        self.redrives = [Redrive(letter, process, world.loop.time(), len(world.broker.written)) for letter in letters]
        self._world = world
        self._patience = patience
        self._stop = Stop()
        log = world.trace.log(process.name, lambda: process.alive)
        self._core = assemble(world, process, log, rejections=REJECTIONS)
        self._places = asyncio.Semaphore(AT_ONCE)

    def start(self) -> None:
        self.process.start(self._live())

    def stop(self) -> None:
        """As SIGTERM."""
        if self.process.alive:
            self._world.trace.note(self.process.name, "told to stop")
            self._stop.ask()

    async def _live(self) -> None:
        core, process = self._core, self.process
        core.ledger.start(self._failed)
        by_key: dict[bytes | None, list[Redrive]] = {}
        for redrive in self.redrives:
            by_key.setdefault(redrive.letter.key, []).append(redrive)
        lines = [process.create_task(self._one_after_the_other(line)) for line in by_key.values()]
        await self._watch(lines)
        await core.ledger.close(CLOSE_SECONDS)
        self._world.trace.note(process.name, "ended")
        process.end()

    async def _watch(self, lines: Sequence[asyncio.Task[None]]) -> None:
        """Until all is done; who is told to stop, or has waited enough, leaves after as long as a worker drains."""
        end = self._world.loop.time() + self._patience
        left = self._world.conditions.drain
        while left > 0.0 and not all(line.done() for line in lines):
            await asyncio.wait(lines, timeout=LOOK_SECONDS)
            if self._world.loop.time() > end and not self._stop.asked:
                self.stop()
            left -= LOOK_SECONDS if self._stop.asked else 0.0
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _one_after_the_other(self, line: list[Redrive]) -> None:
        async with self._places:
            for redrive in line:
                try:
                    redrive.fate = await self._redrive(redrive)
                except Abandoned:
                    return
                except Exception as error:
                    self._failed(error)

    async def _redrive(self, redrive: Redrive) -> Fate:
        place = "{}/{}@{}".format(*redrive.source)
        told = {"place": place, "reason": redrive.reason, "key": redrive.key, "redrives": redrive.redrives}
        self._world.trace.note(self.process.name, "redrives", **told)
        work = Work(redrive.work, self._stop, redo=Redo(redrive.key or None), redrives=redrive.redrives + 1)
        work.decoded = await self._core.pipeline.decode(work)
        while (later := await self._core.pipeline.settle(work)) is not None:
            await self._stop.sleep(later.seconds)
        self._world.trace.note(self.process.name, "redrove", place=place, fate=work.fate)
        return work.fate

    def _failed(self, error: Exception) -> None:
        self._world.trace.defects.append(f"{self.process.name}: {type(error).__name__}: {error}")
        self._stop.ask()
