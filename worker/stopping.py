"""How waiting ends early: a stop that is asked for, and waits that notice."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from worker.errors import Abandoned

T = TypeVar("T")


class Stop:
    """A request to stop, for one lane or for the whole worker. Lives on the event loop."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._waiting: set[asyncio.Future[Any]] = set()

    def ask(self) -> None:
        """Asks to stop: waits end with Abandoned from now on."""
        self._asked.set()
        for future in tuple(self._waiting):
            future.cancel()

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self._asked.is_set()

    async def sleep(self, seconds: float, *, finish: bool = False) -> None:
        """Waits so many seconds. Raises Abandoned when a stop is asked for, unless the work is one to `finish`.

        Work to finish is what may have reached Rokt: giving it up would leave open what became of it.
        """
        if finish:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return
        raise Abandoned("stopped while waiting")

    async def wait(self, future: asyncio.Future[T]) -> T:
        """Waits for a future of one's own. A stop cancels it, and then this raises Abandoned."""
        if self.asked:
            future.cancel()
            raise Abandoned("stopped before it was asked for")
        self._waiting.add(future)
        try:
            return await future
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            raise Abandoned("stopped while waiting") from None
        finally:
            self._waiting.discard(future)


def _is_cancelled() -> bool:
    """Whether it is the running task that is cancelled, and not only what it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
