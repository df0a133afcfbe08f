"""A replay that calls nobody: reads the plan's stretches, asks the ledger what is settled, and counts.

Quick, and of a memory that does not grow: records pass in batches, and only calls that would be made are remembered
for a while, to be counted once. The ledger is only read, and no group is joined; workers may run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Message

from worker.decode.decoder import Decoded, Decoder, InvalidEvent, Tombstone, Undecodable
from worker.events import Event
from worker.ledger.store import Store
from worker.replay.forecast import Forecast
from worker.replay.plan import Plan, concerns
from worker.replay.reading import Reader
from worker.replay.weighing import Weighing
from worker.stream.messages import headers

STALLED_SECONDS: Final = 30.0
Tell = Callable[[Forecast], None]


async def dry_run(plan: Plan, config: Mapping[str, Any], decoder: Decoder, store: Store, tell: Tell) -> Forecast:
    """What would become of the plan's records. `config` is a consumer's, with a group id; `tell` hears how far it is.

    Raises BrokersUnavailable, RegistryUnavailable, LedgerUnavailable.
    """
    forecast = Forecast()
    weighing = Weighing(store, plan.wanted, forecast)
    began = time.monotonic()
    reader = Reader(config, seconds=STALLED_SECONDS)
    batches = reader.batches({(s.topic, s.partition): (s.start, s.end) for s in plan.stretches})
    try:
        while (batch := await asyncio.to_thread(_next, batches)) is not None:
            await weighing.weigh(await _events(batch, decoder, plan, forecast))
            forecast.seconds = time.monotonic() - began
            tell(forecast)
    finally:
        reader.stop()  # or who is told to end waits for the thread
    return forecast


def _next(batches: Iterator[list[Message]]) -> list[Message] | None:
    return next(batches, None)


async def _events(batch: Sequence[Message], decoder: Decoder, plan: Plan, forecast: Forecast) -> list[Event]:
    """The events that were asked for; all else is counted."""
    found: list[Event] = []
    only_some = bool(plan.carts or plan.orders)
    for message in batch:
        match await _decoded(message, decoder):
            case Tombstone() | Undecodable() | InvalidEvent() if only_some:
                forecast.records["passed over"] += 1
            case Tombstone():
                forecast.records["skipped"] += 1
            case Undecodable():
                forecast.records["dead-lettered"] += 1
                forecast.letters["undecodable"] += 1
            case InvalidEvent():
                forecast.records["dead-lettered"] += 1
                forecast.letters["invalid"] += 1
            case event if only_some and not concerns(plan.wanted, event):
                forecast.records["passed over"] += 1
            case event:
                forecast.events[type(event).__name__] += 1  # type: ignore[index]
                found.append(event)
    return found


async def _decoded(message: Message, decoder: Decoder) -> Decoded:
    _, unreadable = headers(message)
    if unreadable:
        return Undecodable(unreadable)
    value = message.value()
    return await decoder.decode(str(message.topic()), value.encode() if isinstance(value, str) else value)
