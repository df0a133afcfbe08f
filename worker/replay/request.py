"""What a replay's run is asked for, and what it says of itself while it goes on and when it is over. Values.

The run is `worker.replay.running.run(request, settings, tell) -> Come`; how far a replay that is kept has come is
`worker.replay.progress.come(store, plan) -> Come`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from worker.replay.plan import Plan

Part = Literal["settled before", "succeeded", "superseded", "dead-lettered", "skipped", "passed over", "lost"]
"""What became of one record. The last three are no events that a replay settles: a tombstone or an event that asks for
no call, one of a cart or order that was not asked for, and what was deleted before the replay could read it."""

EVENTS: Final[tuple[Part, ...]] = ("settled before", "succeeded", "superseded", "dead-lettered")
OTHERS: Final[tuple[Part, ...]] = ("skipped", "passed over", "lost")


@dataclass(frozen=True, slots=True)
class Request:
    """A plan that is kept; `rate` is how many calls a second all its processes may make, None: no limit of its own."""

    plan: Plan
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Come:
    """How far a replay has come, by what is kept of it: all its processes, and all its beginnings, together.

    `offsets` of its plan are behind it; what became of their records is in `counts`, each record once. `calls` were
    begun for it (attempts are not counted). `finished`: every offset of the plan is behind it. Times are milliseconds
    since 1970, None while nobody has begun it.
    """

    offsets: int = 0
    counts: Mapping[Part, int] = field(default_factory=dict)
    calls: int = 0
    finished: bool = False
    begun_at_ms: int | None = None
    changed_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Told now and then while it runs: how far it has come; what it waits for, in words, empty when for nothing.

    `stretches`: how many of the plan's this process works on now.
    """

    come: Come
    waits_for: str = ""
    stretches: int = 0


Tell = Callable[[Progress], None]


def at_once(max_concurrency: int) -> int:
    """How many calls a process of a replay has under way where no cap is set: half of what a live one may have."""
    return max(1, max_concurrency // 2)
