"""The ledger as the pipeline asks it: requests in groups, waits while the database is away, a lease that is kept.

Lives on the event loop. A worker's claims are good while its lease is: it renews that all the time, and makes no
attempt at a call that could outlast it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from worker.carts import CalledOff
from worker.errors import Abandoned, LedgerUnavailable
from worker.ledger.budgets import Reserved
from worker.ledger.entries import Answer, Ask, Before, CallOff, Entry, GiveBack, Origin, Published, Redo, Settle, Wait
from worker.ledger.groups import Groups, cut_off
from worker.ledger.lease import Lease
from worker.ledger.patience import Patience
from worker.ledger.pruning import prune
from worker.ledger.store import Store
from worker.mapping import Call
from worker.surroundings import Surroundings
from worker.telemetry import names
from worker.verdict import Settled

RENEWALS = 5
CALLS_TO_ROKT = "rokt.calls"
AHEAD_SECONDS = 3600.0  # slots further off than this are nobody's plan


@dataclass(frozen=True, slots=True)
class Terms:
    """How the ledger is kept. `owner` is new for each process; `group` bounds what shares a transaction.

    `lease_seconds`: how long what this worker has begun stays its own after it was last heard of.
    """

    owner: str
    lease_seconds: float
    group: int
    retention_days: int
    prune_rows: int
    prune_seconds: float


class Ledger:
    """Asks a store, again and again while it is away."""

    def __init__(self, store: Store, terms: Terms, around: Surroundings) -> None:
        self._store = store
        self._terms = terms
        self._clock = around.clock
        self._log = around.log
        self._patience = Patience(around)
        self._groups = Groups(store, terms.group, self._patience)
        self._lease = Lease(terms.lease_seconds)
        self._tasks: set[asyncio.Task[None]] = set()
        self._token = 0
        self._opened = False
        self._broken = False
        self._fail: Callable[[Exception], None] | None = None

    @property
    def up(self) -> bool:
        """Whether the database is there and does what it is asked."""
        return self._opened and not self._patience.failing and not self._broken

    @property
    def lease_left(self) -> float:
        """Seconds for which what is begun here now is surely ours; for what was begun before, see `held`."""
        return self._lease.left(self._clock())

    def held(self, asked: Ask) -> float:
        """Seconds for which the call that was begun by `asked` is surely ours.

        Below 0 for good once the lease has run out since: give it back then, and ask again.
        """
        return self._lease.left(self._clock(), asked.token)

    def start(self, fail: Callable[[Exception], None] | None = None) -> None:
        """Begins to connect, to renew the lease and to prune; asks wait until the database is there.

        `fail` hears of what cannot be waited out, such as a schema of a later version; asks raise it from then on.
        """
        self._fail = fail
        self._begin(self._keep())

    def ask(self, call: Call, origin: Origin, redo: Redo | None = None) -> tuple[Ask, asyncio.Future[Answer]]:
        """May this call be made? What is answered with Send is ours, and has to be settled or given back."""
        self._token += 1
        ask = Ask(call, origin, self._terms.owner, self._token, redo)
        return ask, cast("asyncio.Future[Answer]", self._groups.put(ask))

    def call_off(self, request: CallOff) -> asyncio.Future[CalledOff | Wait]:
        """What does this cancel ask for?"""
        return cast("asyncio.Future[CalledOff | Wait]", self._groups.put(request))

    async def settle(self, asked: Ask, settled: Settled, redo: int = 0) -> Entry:
        """Notes what became of a call; gives it as it stands.

        Another worker may have settled it before, or have it under way again: then it has no status.
        """
        return cast("Entry", await self._groups.put(Settle(asked, settled, redo)))

    async def published(self, key: str, settled_at_ms: int | None = None) -> None:
        """Notes that the outcome of a call is written; which one, see `Published`."""
        await self._groups.put(Published(key, settled_at_ms))

    def give_back(self, asked: Ask, attempts: int, *, maybe_sent: bool) -> None:
        """Notes, soon, that a call is not made now. Without it, others wait for the end of the lease."""
        self._groups.put(GiveBack(asked, attempts, maybe_sent)).add_done_callback(self._patience.heed)

    def forget(self, asked: Ask, answer: asyncio.Future[Answer]) -> None:
        """Nobody will act on this answer. One that has come and was never taken is given back if it was Send."""
        if not answer.cancel() and not answer.cancelled() and answer.exception() is None:
            self._groups.unheard(asked, answer.result())

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        """Those of these keys that are settled and published, and how."""
        return await self._patience.until_done("settled", partial(self._store.settled, keys))

    async def kept(self, room: str, first: int, last: int) -> dict[int, str]:
        """See `Store.kept`."""
        return await self._patience.until_done("kept", partial(self._store.kept, room, first, last))

    async def swap(self, room: str, number: int, old: str | None, new: str) -> bool:
        """See `Store.swap`."""
        return await self._patience.until_done("swap", partial(self._store.swap, room, number, old, new))

    async def reserve(
        self,
        count: int,
        interval_us: int,
        lead_seconds: float,
        *,
        budget: str = CALLS_TO_ROKT,
        spare: bool = False,
    ) -> Reserved:
        """Gives slots for so many calls to Rokt to this worker alone, see `Store.reserve`.

        One try: raises LedgerUnavailable, and whoever asks does so again. A lead is at most half an hour.
        """
        lead_us, ahead_us = (round(s * 1_000_000) for s in (min(lead_seconds, AHEAD_SECONDS / 2), AHEAD_SECONDS))
        do = partial(self._store.reserve, budget, count, interval_us, lead_us, ahead_us, spare=spare)
        return await self._patience.once("reserve", do)

    async def close(self, seconds: float) -> None:
        """Writes what was given back, ends the lease, and disconnects; within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._groups.emptied()
                await cut_off(self._tasks)  # or they renew the lease that is ended here
                if self._opened:
                    await self._store.retire(self._terms.owner)
        except (TimeoutError, LedgerUnavailable) as error:
            self._log.warning(names.LOG_LEDGER_UNCLOSED, why=str(error) or "it took too long")
        await cut_off(self._tasks)
        await self._groups.close(Abandoned("the ledger is closed"))
        await self._store.close()

    async def _keep(self) -> None:
        """Connects; then renews the lease, for ever."""
        try:
            await self._patience.until_done("open", self._store.open)
            while True:
                await self._patience.until_done("renew", self._renew)
                if not self._opened:
                    self._opened = True
                    self._begin(self._pruning())
                    self._groups.begin()
                await asyncio.sleep(self._terms.lease_seconds / RENEWALS)
        except Exception as error:
            self._patience.lost(error)
            self._broken = True
            self._groups.give_up(error)
            if self._fail is not None:
                self._fail(error)

    async def _renew(self) -> None:
        asked_at = self._clock()
        await self._store.renew(self._terms.owner, self._terms.lease_seconds)
        self._lease.renewed(asked_at, self._clock(), self._token + 1)

    def _pruning(self) -> Coroutine[None, None, None]:
        terms = self._terms
        days, rows, seconds = terms.retention_days, terms.prune_rows, terms.prune_seconds
        return prune(self._store, self._patience, days=days, rows=rows, seconds=seconds)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
