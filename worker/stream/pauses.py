"""Why a partition is not read at the moment. Reasons are worked out afresh each time, so no pauser can undo another.

Pure. A partition is paused while it has at least one reason: it is too far ahead of what may be committed (`gap`), too
much is in hand for its kind of events (`memory`), what was asked of it is read (`end`), or something that holds for its
topic. The client library keeps a partition paused through a revoke and a new assignment, so at first the reasons are
UNKNOWN, and it is resumed if there are none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from worker.urgency import Kind, room

UNKNOWN = frozenset({"unknown"})
GAP = "gap"
MEMORY = "memory"
END = "end"
AGAIN_BELOW = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """`gap`: records of one partition read and not passed by what may be committed. `bytes`: in hand of all of them.

    `kinds`: what each topic holds, confirms where it is not named; the kinds share `bytes` as in worker/urgency.py.
    """

    gap: int
    bytes: int
    kinds: Mapping[str, Kind] = field(default_factory=dict)


class Load(Protocol):
    """What is in hand of one partition, and why it is paused, if it is."""

    @property
    def topic(self) -> str: ...
    @property
    def gap(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def paused_for(self) -> frozenset[str]: ...


P = TypeVar("P", bound=Load)


def reasons(partitions: Sequence[P], limits: Limits, held: Callable[[str], frozenset[str]]) -> dict[P, frozenset[str]]:
    """The reasons of each partition; `held` gives those of a topic.

    A limit that was reached counts until half of it is free again. Only kinds of which there are partitions share.
    """
    of_topic = {topic: held(topic) for topic in {p.topic for p in partitions}}
    kinds: dict[str, Kind] = {topic: limits.kinds.get(topic, "confirm") for topic in of_topic}
    taken: Counter[Kind] = Counter()
    for p in partitions:
        taken[kinds[p.topic]] += p.bytes
    found: dict[P, frozenset[str]] = {}
    for p in partitions:
        why = set(of_topic[p.topic])
        if _over(p.gap, limits.gap, GAP in p.paused_for):
            why.add(GAP)
        kind = kinds[p.topic]
        if _over(taken[kind], room(kind, taken, limits.bytes), MEMORY in p.paused_for):
            why.add(MEMORY)
        found[p] = frozenset(why)
    return found


def _over(value: int, limit: int, was_over: bool) -> bool:
    return value > limit * AGAIN_BELOW if was_over else value >= limit
