"""Requests on their way to the ledger's store: what is asked while a group is worked on goes into the next one.

So a transaction is shared by as many events as are ready. Lives on the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from functools import partial

from worker.ledger.entries import Ask, CallOff, Done, GiveBack, Request, Send
from worker.ledger.page import Reply
from worker.ledger.patience import Patience
from worker.ledger.store import Store

Answering = asyncio.Future[Reply]
Group = list[tuple[Request, Answering]]


class Groups:
    """Nothing is sent before `begin`. `size` bounds a group."""

    def __init__(self, store: Store, size: int, patience: Patience) -> None:
        self._store = store
        self._size = size
        self._patience = patience
        self._waiting: deque[tuple[Request, Answering]] = deque()
        self._free = store.parallel
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._begun = False
        self._broken: Exception | None = None

    def begin(self) -> None:
        """The store is there."""
        self._begun = True
        self._work_on_some()

    def put(self, request: Request) -> Answering:
        """Has a request worked on. Who cancels what this gives is not answered; a call that was begun is given back."""
        done: Answering = asyncio.get_running_loop().create_future()
        self._waiting.append((request, done))
        if self._broken is not None:
            self.give_up(self._broken)
        self._work_on_some()
        return done

    def unheard(self, asked: Ask, reply: Reply) -> None:
        """Nobody will act on this reply: what it makes ours, a call or an outcome to write, is given back."""
        match reply:
            case Send(_, attempts, maybe_sent):
                given_back = GiveBack(asked, attempts, maybe_sent)
            case Done(entry) if not entry.published:
                given_back = GiveBack(asked, entry.attempts, entry.maybe_sent)
            case _:
                return
        self.put(given_back).add_done_callback(self._patience.heed)

    async def emptied(self) -> None:
        """Returns when nothing waits and nothing is worked on."""
        while self._begun and (self._waiting or self._free < self._store.parallel):
            self._idle.clear()
            await self._idle.wait()

    async def close(self, error: Exception) -> None:
        """Cuts off what is worked on. Whoever waits has the error, and whoever asks from now on."""
        self._begun = False  # else a group that is cut off here begins another
        await cut_off(self._tasks)
        self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Whoever waits has the error, and whoever asks from now on."""
        self._broken = error
        while self._waiting:
            _fail(self._waiting.popleft()[1], error)

    def _work_on_some(self) -> None:
        if self._begun and self._free and self._waiting:
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Works on what waits, group by group, until nothing does."""
        try:
            await asyncio.sleep(0)  # so that all that is ready now comes into the first group
            while group := self._take():
                await self._work_on(group)
        except asyncio.CancelledError:  # cut off: what waits is not begun by this one any more
            self._free += 1
            raise
        self._free += 1
        self._work_on_some()
        if self._free == self._store.parallel:
            self._idle.set()

    async def _work_on(self, group: Group) -> None:
        requests = [request for request, _ in group]
        try:
            replies = await self._patience.until_done("work", partial(self._store.work, requests))
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(group))
            raise
        except Exception as error:  # a defect: whoever asked for it has it, the others go on
            if len(group) > 1:
                await self._work_singly(group)
            else:
                _fail(group[0][1], error)
        else:
            for (request, done), reply in zip(group, replies, strict=True):
                self._answer(request, done, reply)

    async def _work_singly(self, group: Group) -> None:
        while group:
            one = group.pop(0)
            try:
                await self._work_on([one])
            except asyncio.CancelledError:
                self._waiting.extendleft(reversed(group))
                raise

    def _take(self) -> Group:
        group: Group = []
        while self._waiting and len(group) < self._size:
            request, done = self._waiting.popleft()
            if not (done.cancelled() and isinstance(request, Ask | CallOff)):
                group.append((request, done))
        return group

    def _answer(self, request: Request, done: Answering, reply: Reply) -> None:
        if not done.done():
            done.set_result(reply)
        elif isinstance(request, Ask):
            self.unheard(request, reply)


async def cut_off(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels tasks, and waits until they are over."""
    under_way = list(tasks)
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)


def _fail(done: Answering, error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
        done.exception()  # or asyncio complains of one whom nobody waits for
