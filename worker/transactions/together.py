"""What is asked side by side is asked together: one round trip for as many as are ready. Lives on the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Together(Generic[A, R]):
    """Asks `do` with up to `size` at a time; what comes meanwhile goes into the next group, in its order."""

    def __init__(self, do: Callable[[Sequence[A]], Awaitable[Sequence[R]]], size: int) -> None:
        self._do = do
        self._size = size
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, one: A) -> R:
        """The answer to one. Raises what `do` raised for its group."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answer))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        return await answer

    async def _work(self) -> None:
        await asyncio.sleep(0)  # so that all that is ready now comes into the first group
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
            try:
                answers = await self._do([one for one, _ in group])
            except Exception as error:
                for _, answer in group:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for (_, answer), found in zip(group, answers, strict=True):
                    if not answer.done():
                        answer.set_result(found)
        self._task = None
