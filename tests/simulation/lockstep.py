"""Blocking code on virtual time: a thread and the event loop that hand a baton to each other.

The consumption is synchronous: it blocks in `consume`, and rebalance callbacks run from within. To run it unchanged on
the loop's clock, its blocking calls have to be suspended somewhere. A greenlet would do, and switch faster, but it is a
dependency for one purpose; a thread is at hand, and as exact: exactly one of the two runs at any time, the other waits
for the baton, so the order of all steps is that of the program and not of the operating system.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Crashed(BaseException):
    """The process of this thread is no more; no code may catch it."""


class Lockstep:
    """A thread that runs only while the loop waits for it. One instance runs one function, once."""

    def __init__(self) -> None:
        self._turn_of_thread = threading.Lock()  # released by whoever hands the baton over
        self._turn_of_loop = threading.Lock()
        self._turn_of_thread.acquire()
        self._turn_of_loop.acquire()
        self._wanted: Awaitable[Any] | None = None
        self._answer: Any = None
        self._error: BaseException | None = None

    async def run(self, function: Callable[[], T]) -> T:
        """Runs a blocking function; raises what it raises. Cancelled, it has the function raise Crashed."""
        ended: list[T] = []
        failed: list[BaseException] = []

        def life() -> None:
            self._turn_of_thread.acquire()
            try:
                ended.append(function())
            except BaseException as error:  # handed over whole to the loop's side
                failed.append(error)
            self._wanted = None
            self._turn_of_loop.release()

        threading.Thread(target=life, name="lockstep", daemon=True).start()
        self._let_run()
        while self._wanted is not None:
            wanted, self._answer, self._error = self._wanted, None, None
            try:
                self._answer = await wanted
            except Exception as error:
                self._error = error
            except BaseException:
                self._error = Crashed()
                self._let_run()
                assert self._wanted is None, "a crashed thread waits for something"
                raise
            self._let_run()
        if failed:
            raise failed[0]
        return ended[0]

    def wait_for(self, awaitable: Awaitable[T]) -> T:
        """On the thread: blocks until the loop has this. Raises what it raises, and Crashed."""
        self._wanted = awaitable
        self._turn_of_loop.release()
        self._turn_of_thread.acquire()
        if self._error is not None:
            raise self._error
        answer: T = self._answer
        return answer

    def _let_run(self) -> None:
        """On the loop: hands the baton over and waits until it comes back."""
        self._turn_of_thread.release()
        self._turn_of_loop.acquire()
