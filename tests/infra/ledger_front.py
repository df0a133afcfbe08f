"""A ledger as the worker has it, on a store that may be in trouble, and what it says of that."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

from infra.ledger_clerk import ORIGIN, settled
from worker.ledger.entries import Ask, Done, Send, Wait
from worker.ledger.ledger import Ledger, Terms
from worker.retry import Backoff
from worker.surroundings import Surroundings
from worker.telemetry import names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from worker.ledger.store import Store
    from worker.mapping import Call
    from worker.telemetry.tracing import Tracing

WITHIN: Final = 30.0
NUMBERS: Final = count()


class Heard:
    """A log that is kept."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def debug(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})

    info = warning = error = debug

    def why(self) -> str:
        """Every reason for which the ledger waited, with the mends."""
        waited = [line for line in self.lines if line["event"] == names.LOG_LEDGER_WAITING]
        return "\n".join(f"{line['why']}: {line['mend']}" for line in waited)


class Front:
    """One worker's ledger, and how often it was allowed to make each call."""

    def __init__(self, store: Store) -> None:
        self.heard = Heard()
        self.sent: list[Send] = []
        terms = Terms(f"worker-{next(NUMBERS)}", 20.0, 16, 30, 100, 0.3)
        self.ledger = Ledger(
            store,
            terms,
            Surroundings(
                tracing=cast("Tracing", None),
                backoff=Backoff(0.02, 0.1),
                chance=lambda: 0.5,
                clock=time.monotonic,
                now=lambda: datetime.now(UTC),
                log=cast("FilteringBoundLogger", self.heard),
            ),
        )

    async def do(self, call: Call) -> Ask:
        """From the question to the outcome, as the pipeline does; the call itself takes no time."""
        while True:
            asked, answering = self.ledger.ask(call, ORIGIN)
            answer = await answering
            if isinstance(answer, Send):
                self.sent.append(answer)
                await self.ledger.settle(asked, settled(call))
                await self.ledger.published(call.key)
                return asked
            if isinstance(answer, Done):
                assert answer.entry.status == "succeeded"
                await self.ledger.published(call.key)
                return asked
            assert isinstance(answer, Wait)
            await asyncio.sleep(0.01)

    async def do_all(self, calls: Sequence[Call]) -> None:
        await asyncio.gather(*(self.do(call) for call in calls))

    async def until(self, condition: Callable[[], object]) -> None:
        """Fails when it does not come true in time."""
        async with asyncio.timeout(WITHIN):
            while not condition():  # noqa: ASYNC110 - of another machine's state
                await asyncio.sleep(0.01)

    async def is_up(self) -> None:
        await self.until(lambda: self.ledger.up)

    async def waits(self, *words: str) -> None:
        """The ledger is not up, and has said so in these words."""
        await self.until(lambda: not self.ledger.up and all(word in self.heard.why() for word in words))


@asynccontextmanager
async def fronted(store: Store) -> AsyncIterator[Front]:
    """A ledger that is started, and in the end closed; what it said has no password in it."""
    front = Front(store)
    front.ledger.start()
    try:
        yield front
    finally:
        await front.ledger.close(5.0)
    assert "password of the tests" not in str(front.heard.lines)
    assert "password%20of" not in str(front.heard.lines)
