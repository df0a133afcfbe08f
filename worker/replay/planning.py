"""A replay's plan, as it is kept or as the brokers have it now: who is asked for it, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from structlog import get_logger

from worker.ledger.store import Store
from worker.replay import keeping, times
from worker.replay.plan import Plan, Wanted, moment
from worker.settings import Settings
from worker.stream import config
from worker.topics.asking import Administrator, Overview

ASK_SECONDS: Final = 10.0
MEND: Final = "rokt-worker topics --create does"


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan; `before`: it was kept already. `remarks` are for a person."""

    plan: Plan
    before: bool
    remarks: tuple[str, ...]


async def planned(
    wanted: Wanted, name: str, settings: Settings, store: Store, now_ms: int, tell: Callable[[str], None]
) -> Planned:
    """The plan of this name; nothing is kept here. `store` is connected, to read at least.

    Raises CannotReplay, BrokersUnavailable, LedgerUnavailable.
    """
    kept = await keeping.kept(store, name, wanted)
    if kept is not None:
        said = f"The replay {name} was planned at {moment(kept.made_at_ms)}: its stretch stays as it was then."
        return Planned(kept, True, (said,))
    given = config.reading_config(settings.kafka, get_logger())
    asked = Administrator({n: v for n, v in given.items() if n != "group.id"}, seconds=ASK_SECONDS)
    topics = list(config.event_types(settings.topics))
    found = await asyncio.to_thread(times.find, wanted, topics, asked, given, now_ms, tell)
    overview = await asyncio.to_thread(asked.overview)
    missing = _missing(settings, {s.topic for s in found.stretches}, overview)
    return Planned(Plan(name, wanted, now_ms, found.stretches, found.cuts), False, (*found.remarks, *missing))


def _missing(settings: Settings, sources: Collection[str], overview: Overview) -> list[str]:
    """Topics that are written to, and that are not there; some brokers make them at their first use."""
    written = [settings.topics.outcomes, *sorted(source + settings.topics.dead_letter_suffix for source in sources)]
    missing = [topic for topic in written if topic not in overview.topics]
    if not missing or not sources or overview.mock:
        return []
    named = ", ".join(missing)
    return [f"There is no topic {named}; the replay waits for it for ever, unless brokers make it: {MEND}."]
