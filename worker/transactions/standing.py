"""Whether what the endpoint needs is there: as the last request found it, and asked again while it was not."""

from __future__ import annotations

import asyncio
from typing import Final

from worker.errors import LedgerUnavailable
from worker.ledger.patience import Patience
from worker.ledger.store import Store
from worker.stream.brokers import Brokers
from worker.stream.publisher import Publisher

LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 2.0


class Standing:
    """On the event loop. `opened`: the ledger is; `stopping`: no more requests are wanted."""

    def __init__(self, brokers: Brokers, store: Store, patience: Patience, publisher: Publisher) -> None:
        self._brokers = brokers
        self._store = store
        self._patience = patience
        self._publisher = publisher
        self._ledger_failed = False
        self.opened = False
        self.stopping = False

    def heard(self, *, broker: bool | None = None, ledger: bool | None = None) -> None:
        """A request found the brokers, or the ledger, to do what they were asked, or not to."""
        if broker is not None:
            self._brokers.down = not broker
        if ledger is not None:
            self._ledger_failed = not ledger

    def unready(self) -> list[str]:
        """The reasons why it is not ready; empty when it is."""
        ledger = not self.opened or self._patience.failing or self._ledger_failed
        why = {
            "no broker answers": self._brokers.down,
            "the ledger's database does not do what it is asked": ledger,
            "is stopping": self.stopping,
        }
        return [reason for reason, holds in why.items() if holds]

    async def watch(self) -> None:
        """Asks again what did not answer, until it is cancelled: without requests nobody else would."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._brokers.down and await self._publisher.reaches_brokers(ANSWER_SECONDS):
                self._brokers.down = False
            if self._ledger_failed:
                await self._ask_ledger()

    async def _ask_ledger(self) -> None:
        try:
            await self._store.settled(["-"])
        except LedgerUnavailable:
            return
        self._ledger_failed = False
