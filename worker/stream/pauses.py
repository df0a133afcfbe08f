"""Why a partition is not read at the moment. Reasons are worked out afresh each time, so no pauser can undo another.

Pure. A partition is paused while it has at least one reason: it is too far ahead of what may be committed (`gap`), too
much is in hand altogether (`memory`), or something that holds for all partitions. The client library keeps a partition
paused through a revoke and a new assignment, so at first the reasons are UNKNOWN, and it is resumed if there are none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

UNKNOWN = frozenset({"unknown"})
GAP = "gap"
MEMORY = "memory"
AGAIN_BELOW = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """`gap`: records of one partition read and not passed by what may be committed. `bytes`: in hand of all of them."""

    gap: int
    bytes: int


class Load(Protocol):
    """What is in hand of one partition, and why it is paused, if it is."""

    @property
    def gap(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def paused_for(self) -> frozenset[str]: ...


P = TypeVar("P", bound=Load)


def reasons(partitions: Sequence[P], limits: Limits, everywhere: frozenset[str]) -> dict[P, frozenset[str]]:
    """The reasons of each partition. A limit that was reached counts until half of it is free again."""
    total = sum(p.bytes for p in partitions)
    found: dict[P, frozenset[str]] = {}
    for p in partitions:
        why = set(everywhere)
        if _over(p.gap, limits.gap, GAP in p.paused_for):
            why.add(GAP)
        if _over(total, limits.bytes, MEMORY in p.paused_for):
            why.add(MEMORY)
        found[p] = frozenset(why)
    return found


def _over(value: int, limit: int, was_over: bool) -> bool:
    return value > limit * AGAIN_BELOW if was_over else value >= limit
