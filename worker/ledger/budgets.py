"""Slots in time that are shared out to a whole fleet, from one row of the ledger's database. Pure.

A slot is a moment at which one call may go. Times are the database's, in microseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """What stands in the row: `next_us` is the first slot that nobody has, `at_us` when that was written."""

    next_us: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """The first of the slots that are now the asker's, the others follow at the interval; and the database's time.

    Not `given`: none of them is, since others have theirs ahead.
    """

    start_us: int
    now_us: int
    given: bool = True


def reserved(
    budget: Budget | None,
    count: int,
    interval_us: int,
    lead_us: int,
    max_ahead_us: int,
    now_us: int,
    *,
    spare: bool = False,
) -> tuple[Reserved, Budget]:
    """See `Store.reserve`: what the asker has, and what stands in the row from now on."""
    earliest = now_us + lead_us
    start = earliest
    if budget is not None:
        set_back = max(0, budget.at_us - now_us)
        start = max(budget.next_us - set_back, earliest)
        if start > now_us + max_ahead_us:
            start = earliest
        elif spare and start > earliest:
            return Reserved(start, now_us, given=False), budget
    return Reserved(start, now_us), Budget(start + count * interval_us, now_us)
