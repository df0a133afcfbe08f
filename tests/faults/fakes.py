"""An event loop whose time stands still until it is told, and a pipeline whose every step is decided from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from worker.decode.decoder import Decoded, Tombstone
from worker.errors import Abandoned
from worker.pipeline import Later
from worker.work import Work

Fate = Literal["settled", "abandoned", "defect"]
STEPS = 50


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is a number; nothing ever sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__()

    def time(self) -> float:
        return self.now

    def rest(self) -> None:
        """Runs all that can run without time passing."""

        async def steps() -> None:
            for _ in range(STEPS):
                await asyncio.sleep(0)

        self.run_until_complete(steps())

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.rest()


class Defect(Exception):
    """What no code expects."""


class FakePipeline:
    """Decodes to what `meaning` says, at once or when it is let; settles an event when its fate is told.

    `begins` is called with each event whose settlement begins.
    """

    def __init__(self, begins: Callable[[Work], None]) -> None:
        self.meaning: dict[tuple[int, int], Decoded] = {}
        self.slow_decoding = False
        self.started: list[Work] = []
        self.undecoded: dict[Work, asyncio.Future[None]] = {}
        self.decoded: list[Work] = []
        self.running: dict[Work, asyncio.Future[Fate]] = {}
        self._begins = begins

    async def decode(self, work: Work) -> Decoded:
        self.started.append(work)
        if self.slow_decoding:
            self.undecoded[work] = asyncio.get_running_loop().create_future()
            try:
                await self.undecoded[work]
            finally:
                del self.undecoded[work]
        self.decoded.append(work)
        return self.meaning.get((work.record.partition, work.record.offset), Tombstone())

    async def settle(self, work: Work) -> Later | None:
        self.running[work] = asyncio.get_running_loop().create_future()
        self._begins(work)
        try:
            match await self.running[work]:
                case "abandoned":
                    raise Abandoned("told to")
                case "defect":
                    raise Defect
        finally:
            del self.running[work]
        return None
