"""How a worker stands at one moment: what probes, metrics, the page and the log are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.gate.gate import GateState
from worker.stalls import Stall
from worker.stream.assignment import Assignment


@dataclass(frozen=True, slots=True)
class PartitionState:
    """One partition of this member.

    `lag` is from what may be committed to the log's end, None while that is not known; `gap` of it is read. `in_hand`
    are read and not settled. `oldest_seconds` is since the timestamp of the oldest that is not settled,
    `blocked_seconds` for how long that has been in hand. `paused_for` is empty while it is read.
    """

    topic: str
    partition: int
    lag: int | None
    gap: int
    in_hand: int
    oldest_seconds: float | None
    blocked_seconds: float
    paused_for: frozenset[str]


@dataclass(frozen=True, slots=True)
class State:
    """The worker at one moment. `idle_seconds` is since the consumer's thread last turned.

    `under_way` events are begun and not settled, `lanes` carts and orders have one in hand. `retention_left_seconds`:
    until the oldest unprocessed record may be deleted, None where it is not known, or nothing waits; `records_lost`:
    deleted before they were read, since the start. Neither changes whether it is ready.
    """

    idle_seconds: float
    joined: bool
    brokers_down: bool
    gate: GateState
    ledger_down: bool
    stopping: bool
    partitions: Sequence[PartitionState]
    under_way: int
    lanes: int
    stalls: Sequence[Stall]
    retention_left_seconds: float | None
    records_lost: int


def of_partition(assignment: Assignment, log_end: int | None, *, clock: float, now_ms: int) -> PartitionState:
    """How one partition stands; `log_end` as brokers told it. `clock` is monotonic seconds, `now_ms` since 1970."""
    lag = _lag(assignment, log_end)
    oldest, blocking = assignment.oldest(), assignment.blocking()
    timestamp = oldest.timestamp_ms if oldest is not None else assignment.newest_ms if lag else None
    return PartitionState(
        topic=assignment.topic,
        partition=assignment.partition,
        lag=lag,
        gap=assignment.gap,
        in_hand=len(assignment.in_hand) + len(assignment.unread),
        oldest_seconds=None if timestamp is None else max(0.0, (now_ms - timestamp) / 1000),
        blocked_seconds=0.0 if blocking is None else clock - blocking[1],
        paused_for=assignment.paused_for,
    )


def _lag(assignment: Assignment, log_end: int | None) -> int | None:
    """None before anybody saw where the log ends: what is paused from the start may have any number waiting."""
    seen = [end for end in (log_end, assignment.log_high) if end is not None]
    settled_to = assignment.settled_to
    if settled_to is None or not (seen or assignment.gap):
        return None
    return max(*seen, assignment.next_offset or 0, settled_to) - settled_to
