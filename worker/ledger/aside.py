"""A thread of its own for what would block the event loop: one thing after another, and the loop only waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], object]]


class Aside:
    """Does what it is given, in order. The thread begins with the first job, and keeps no process from ending."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None

    async def run(self, do: Callable[[], T], seconds: float) -> T:
        """The result of a job, or what it raised.

        Raises TimeoutError when it is not done within so many seconds: one that was not begun by then never will be,
        one that was goes on.
        """
        if self._thread is None:
            self._thread = Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._jobs.put((loop, done, do))
        async with asyncio.timeout(seconds):
            return await done

    def end(self) -> None:
        """Ends the thread after what it was given before."""
        if self._thread is not None:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            loop, done, do = job
            if done.cancelled():
                continue
            try:
                result = do()
            except BaseException as error:
                _tell(loop, _fail, done, error)
            else:
                _tell(loop, _succeed, done, result)
            del job, done, do  # or the last job's values live until the next one comes


def _tell(loop: asyncio.AbstractEventLoop, how: Callable[..., None], done: asyncio.Future[Any], what: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(how, done, what)


def _succeed(done: asyncio.Future[Any], result: object) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
