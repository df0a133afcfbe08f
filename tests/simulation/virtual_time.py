"""An event loop whose clock jumps to the next timer when nothing is left to do: an hour passes in no time.

Nothing in it waits for the outside. Work for a thread pool, and a time in which nobody waits for anything, are errors.
What could differ between two runs of the same seed does not: tasks hash by their number and not by their address, since
asyncio keeps them in sets, and timers of the same moment fire in an order that is drawn.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context
from random import Random
from typing import Any, NoReturn, TypeVarTuple, Unpack

from simulation.processes import RUNNING

Ts = TypeVarTuple("Ts")

SAME_MOMENT = 1e-6
"""Timers this close together, in seconds, fire in any order."""


class Standstill(AssertionError):
    """Nobody waits for anything that could still come."""


class NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set is the same in every run."""

    def __init__(self, number: int, coroutine: Coroutine[Any, Any, Any], **more: Any) -> None:
        self._number = number
        super().__init__(coroutine, **more)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """`time` begins at 0 and is in seconds, as everywhere in asyncio."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._now = 0.0
        self._chance = chance
        self._tasks_made = 0
        self._selector = self  # where BaseEventLoop waits: see select
        self.set_task_factory(self._task)

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> list[object]:
        """Time passes here, and only here. Raises Standstill."""
        if timeout is None:
            raise Standstill(f"at {self._now:.3f} s nobody waits for anything that could still come")
        self._now += timeout
        return []

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return super().call_at(when + self._chance.random() * SAME_MOMENT, callback, *args, context=context)

    def run_in_executor(self, *_: object) -> NoReturn:
        raise AssertionError("a thread pool has no place in a simulation: something blocks")

    def _task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **more: Any,
    ) -> asyncio.Task[Any]:
        assert isinstance(coroutine, Coroutine)
        self._tasks_made += 1
        task = NumberedTask(self._tasks_made, coroutine, loop=loop, **more)
        context: Context | None = more.get("context")
        process = RUNNING.get() if context is None else context.get(RUNNING)
        if process is not None:
            process.adopt(task)
        return task

    def _process_events(self, _: list[object]) -> None:
        """There are none from outside."""

    def _write_to_self(self) -> None:
        """Nothing to wake: whoever calls from another thread does so while the loop stands still."""


@contextmanager
def nothing_sleeps() -> Iterator[None]:
    """While it lasts, a `time.sleep` is an error."""

    def refuse(_: object) -> NoReturn:
        raise AssertionError("time.sleep in a simulation: something blocks")

    before = time.sleep
    time.sleep = refuse
    try:
        yield
    finally:
        time.sleep = before
