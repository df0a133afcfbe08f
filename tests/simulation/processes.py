"""A worker's process: what it runs dies with it, at any step, and what it sent before goes on without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

from simulation.lockstep import Crashed
from simulation.trace import Trace

RUNNING: ContextVar[Process | None] = ContextVar("process", default=None)


class Process:
    """`linked`: whether it reaches the brokers. `crash_in` counts steps down to a crash; None: none is to come."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, trace: Trace) -> None:
        self.name = name
        self.alive = True
        self.linked = True
        self.crash_in: int | None = None
        self.stopping = False
        self.crashed_at: float | None = None
        self.on_death: list[Callable[[], None]] = []
        self._loop = loop
        self._trace = trace
        self._tasks: set[asyncio.Task[Any]] = set()
        self._context: Context = copy_context()
        self._context.run(RUNNING.set, self)

    def start(self, main: Coroutine[Any, Any, None]) -> None:
        """Begins its life; all tasks that come of it belong to it."""
        self._loop.create_task(main, context=self._context)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """A task of this process."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self.alive:  # begun while what died is unwound
            task.cancel()

    def call_soon(self, callback: Callable[..., object], *args: object) -> None:
        """On the loop, unless the process is no more by then."""
        self._loop.call_soon(self._unless_dead, callback, args, context=self._context)

    def create_task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process, from whatever thread."""
        return self._loop.create_task(coroutine, context=self._context)

    def step(self, what: str) -> None:
        """Something that the outside can tell from what is before it. Raises CancelledError once it is no more.

        Whoever calls it on the consumer's thread has CancelledError turned into Crashed: see `step_of_thread`.
        """
        if self.alive and self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.crash(what)
        if not self.alive:
            raise asyncio.CancelledError

    def step_of_thread(self, what: str) -> None:
        """The same on the consumer's thread. Raises Crashed."""
        try:
            self.step(what)
        except asyncio.CancelledError:
            raise Crashed from None

    def crash(self, where: str) -> None:
        """As `kill -9`: no code of it runs any more; the tasks are unwound with every way out of the process shut."""
        if self.alive:
            self._trace.note(self.name, "crashed", where=where)
            self.crashed_at = self._loop.time()
            self.end()

    def end(self) -> None:
        """It is over, and its connections with it."""
        self.alive = False
        for task in sorted(self._tasks, key=hash):
            task.cancel()
        for tell in self.on_death:
            tell()

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left."""
        return not self.alive and not self._tasks

    def _unless_dead(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        if self.alive:
            callback(*args)


def crash_some_time(process: Process, chance: Random, steps: int) -> None:
    """Has it crash at one of its next steps."""
    process.crash_in = chance.randint(1, steps)
