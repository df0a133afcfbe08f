"""How waiting ends early: a stop that is asked for, and waits that notice."""

from __future__ import annotations

import asyncio

from worker.errors import Abandoned


class Stop:
    """A request to stop, for one lane or for the whole worker. Lives on the event loop."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Asks to stop: waits end with Abandoned from now on."""
        self._asked.set()

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
