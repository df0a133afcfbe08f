"""Does again what the ledger's database did not do, for as long as it takes, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from worker.errors import Abandoned, LedgerUnavailable, WorkerError, words
from worker.surroundings import Surroundings
from worker.telemetry import names

T = TypeVar("T")


class Patience:
    """`failing` are the things that are being done again; while there are any, the ledger is not up."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._failing: dict[str, int] = {}
        self._failed: dict[str, int] = {}

    @property
    def failing(self) -> bool:
        """Whether anything waits for the database."""
        return bool(self._failing)

    async def until_done(self, what: str, do: Callable[[], Awaitable[T]]) -> T:
        """Does it until the database has done it. Raises whatever is no LedgerUnavailable."""
        tries = 0
        try:
            while True:
                try:
                    done = await self._timed(what, do)
                except LedgerUnavailable as error:
                    tries += 1
                    if tries == 1:
                        self._failing[what] = self._failing.get(what, 0) + 1
                    await self._wait(what, tries, error)
                else:
                    if tries:
                        self._around.log.warning(names.LOG_LEDGER_BACK, what=what, tries=tries)
                    return done
        finally:
            if tries:
                self._over(what)

    async def once(self, what: str, do: Callable[[], Awaitable[T]]) -> T:
        """Does it, for one who asks again by himself. What fails is said, raised, and not counted as `failing`."""
        try:
            done = await self._timed(what, do)
        except LedgerUnavailable as error:
            tries = self._failed[what] = self._failed.get(what, 0) + 1
            self._say(what, tries, error)
            raise
        except Exception as error:
            self.lost(error)
            raise
        if tries := self._failed.pop(what, 0):
            self._around.log.warning(names.LOG_LEDGER_BACK, what=what, tries=tries)
        return done

    def lost(self, error: BaseException) -> None:
        """Says what was not done, and will not be done again. A stack is for defects; our own errors say all."""
        stack = None if isinstance(error, WorkerError) else error
        self._around.log.error(names.LOG_LEDGER_FAILED, why=words(error), exc_info=stack)

    def heed(self, done: asyncio.Future[Any]) -> None:
        """Says of something that nobody waits for that it was not done."""
        error = None if done.cancelled() else done.exception()
        if error is not None and not isinstance(error, Abandoned):
            self.lost(error)

    async def _timed(self, what: str, do: Callable[[], Awaitable[T]]) -> T:
        clock, failed = self._around.clock, ""
        began = clock()
        try:
            return await do()
        except Exception as error:
            failed = type(error).__name__
            raise
        finally:
            self._around.meters.ledger.record((what, failed), clock() - began)

    async def _wait(self, what: str, tries: int, error: LedgerUnavailable) -> None:
        wait = self._around.wait(tries)
        self._say(what, tries, error, next_try_seconds=round(wait, 3))
        await asyncio.sleep(wait)

    def _say(self, what: str, tries: int, error: LedgerUnavailable, **more: float) -> None:
        (self._around.log.error if tries & (tries - 1) == 0 else self._around.log.debug)(
            names.LOG_LEDGER_WAITING, what=what, tries=tries, why=str(error), mend=error.mend, **more
        )

    def _over(self, what: str) -> None:
        """Of several that do the same, each counts."""
        self._failing[what] -= 1
        if not self._failing[what]:
            del self._failing[what]
