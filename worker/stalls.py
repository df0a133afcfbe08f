"""What holds up a partition: the event that all others of it wait for, for longer than it should."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from worker.stream.assignment import Assignment


@dataclass(frozen=True, slots=True)
class Stall:
    """A partition that goes no further: the event that holds it, and what that waits for."""

    topic: str
    partition: int
    offset: int
    cart_id: str | None
    waits_for: str
    seconds: float


def stalled(assignments: Iterable[Assignment], seconds: float, *, clock: float) -> list[Stall]:
    """The partitions that have waited for one event for longer than this; `clock` is monotonic seconds."""
    found: list[Stall] = []
    for assignment in assignments:
        blocking = assignment.blocking()
        if blocking is not None and clock - blocking[1] >= seconds:
            work, since = blocking
            place = (work.record.topic, work.record.partition, work.record.offset)
            found.append(Stall(*place, work.cart_id, work.waits_for, clock - since))
    return found
