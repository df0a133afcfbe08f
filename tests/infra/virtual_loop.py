"""An event loop whose time passes at once: what would be waited for is simply later."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

BEGIN = 1000.0
TURNS_AT_ONE_MOMENT = 200_000
LONGEST = 30 * 86_400.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Monotonic seconds from `BEGIN`."""

    def __init__(self) -> None:
        super().__init__(_Leap(self))
        self.at = BEGIN

    def time(self) -> float:
        return self.at


class _Leap(selectors.DefaultSelector):
    """Raises AssertionError where nobody waits for anything that could still come, or where time cannot pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everybody waits, and nothing will ever happen")
        self._turns = 0 if timeout > 0 else self._turns + 1
        if self._turns > TURNS_AT_ONE_MOMENT:
            raise AssertionError(f"no end of work at {now():.6f} s")
        self._loop.at += max(timeout, 0.0)
        if self._loop.at > BEGIN + LONGEST:
            raise AssertionError("a month has passed")
        return super().select(0)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs to the end, in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def clock() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()


def now() -> float:
    """Seconds since the beginning."""
    return clock() - BEGIN
