"""The steps of a replay: the pipeline's, for the events that were asked for; others are passed over.

Most of what a replay reads is settled. That is asked by the key alone, in groups, and without making the call's body,
which costs more than all else: a call that was settled with another body is settled, too, and the worker that read the
event when it came has said so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from worker.decode.decoder import Decoded
from worker.events import CartAbandoned, CheckoutCompleted
from worker.ledger.entries import REDONE, Before, Redo
from worker.mapping import call_key
from worker.pipeline import Later, Pipeline
from worker.replay.plan import Wanted, concerns
from worker.replay.request import Part
from worker.work import Work


class Known(Protocol):
    """Who knows what is settled."""

    async def settled(self, keys: Sequence[str]) -> dict[str, Before]:
        """See `Ledger.settled`."""


class Selecting:
    """A pipeline (worker/dispatch.py says what is used of it) that leaves out what was not asked for."""

    def __init__(self, pipeline: Pipeline, known: Known, wanted: Wanted) -> None:
        self._pipeline = pipeline
        self._known = known
        self._wanted = wanted
        self._all = not (wanted.carts or wanted.orders)

    def part(self, work: Work) -> Part:
        """What became of a record that is settled."""
        return work.fate if self._concerns(work) else "passed over"

    async def decode(self, work: Work) -> Decoded:
        """See `Pipeline.decode`. What was rejected or given up is begun again, if that was asked for."""
        if self._wanted.again:
            work.redo = Redo()
        return await self._pipeline.decode(work)

    async def settled_before(self, works: Sequence[Work]) -> set[int]:
        """The offsets of those with which there is nothing to be done. Raises Abandoned."""
        passed: set[int] = set()
        keys: dict[str, list[Work]] = {}
        for work in works:
            if not self._concerns(work):
                passed.add(work.record.offset)
            elif (key := _key(work)) is not None:
                keys.setdefault(key, []).append(work)
        if keys:
            known = await works[0].stop.wait(asyncio.ensure_future(self._known.settled(list(keys))))
            for key, before in known.items():
                if not (self._wanted.again and before.status in REDONE):
                    for work in keys[key]:
                        work.came("settled before")
                        passed.add(work.record.offset)
        return passed

    async def settle(self, work: Work) -> Later | None:
        """See `Pipeline.settle`."""
        if self._concerns(work):
            return await self._pipeline.settle(work)
        work.came("settled before")  # nothing was to be done: the dispatcher may ask in groups
        return None

    def _concerns(self, work: Work) -> bool:
        return self._all or (work.event is not None and concerns(self._wanted, work.event))


def _key(work: Work) -> str | None:
    """The key of the one call that an event asks for; None for any other record."""
    event = work.decoded
    return call_key(event) if isinstance(event, CheckoutCompleted | CartAbandoned) else None
