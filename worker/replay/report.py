"""What a replay came to: every record of its stretches once, and whether the books balance.

They balance when the replay is finished and events read = settled before + succeeded + superseded + dead-lettered; with
what was skipped, passed over or lost these are all records. An offset without a record is a compacted topic's, or a
transaction's marker.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from worker.replay.plan import Cut, Plan, moment
from worker.replay.request import EVENTS, OTHERS, Come

State = Literal["not begun", "under way", "finished"]


@dataclass(frozen=True, slots=True)
class Report:
    """A plan, and how far it has come."""

    plan: Plan
    come: Come

    @property
    def state(self) -> State:
        """Not finished, but begun: it goes on when it is run again, or another process has it."""
        if self.come.finished:
            return "finished"
        return "not begun" if self.come.begun_at_ms is None else "under way"

    @property
    def events(self) -> int:
        """Events that were settled: now or before."""
        return sum(self.come.counts.get(part, 0) for part in EVENTS)

    @property
    def records(self) -> int:
        """Those and all others."""
        return self.events + sum(self.come.counts.get(part, 0) for part in OTHERS)

    @property
    def without_record(self) -> int:
        """Offsets that are behind it and had no record."""
        return self.come.offsets - self.records

    @property
    def balanced(self) -> bool:
        """Whether every offset of the plan is accounted for, and no record twice."""
        return self.come.finished and self.come.offsets == self.plan.offsets and self.without_record >= 0

    @property
    def seconds(self) -> float:
        """From its beginning to the last that is known of it, pauses included."""
        begun, changed = self.come.begun_at_ms, self.come.changed_at_ms
        return 0.0 if begun is None or changed is None else (changed - begun) / 1000


def document(report: Report) -> dict[str, Any]:
    """For programs."""
    plan, come = report.plan, report.come
    return {
        "replay": plan_document(plan),
        "state": report.state,
        "balanced": report.balanced,
        "events": report.events,
        **{camel(part): come.counts.get(part, 0) for part in (*EVENTS, *OTHERS)},
        "records": report.records,
        "offsets": plan.offsets,
        "offsetsDone": come.offsets,
        "offsetsWithoutRecord": report.without_record,
        "calls": come.calls,
        "begunAt": at(come.begun_at_ms),
        "changedAt": at(come.changed_at_ms),
        "seconds": round(report.seconds, 3),
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """What was planned."""
    wanted = plan.wanted
    return {
        "name": plan.name,
        "since": moment(wanted.since_ms),
        "until": at(wanted.until_ms),
        "plannedAt": moment(plan.made_at_ms),
        "carts": sorted(wanted.carts),
        "orders": sorted(wanted.orders),
        "again": wanted.again,
        "stretches": [
            {"topic": s.topic, "partition": s.partition, "start": s.start, "end": s.end} for s in plan.stretches
        ],
        "cuts": [
            {"topic": cut.topic, "partition": cut.partition, "offset": cut.offset, "firstAt": at(cut.first_ms)}
            for cut in plan.cuts
        ],
    }


def cut_short(cut: Cut, since_ms: int) -> str:
    """What a person should know of a log that begins too late."""
    place = f"{cut.topic}/{cut.partition}"
    if cut.first_ms is None:
        return f"{place}: everything up to offset {cut.offset:,} is deleted, and nothing is left to replay."
    missing = duration((cut.first_ms - since_ms) / 1000)
    return (
        f"{place}: everything before offset {cut.offset:,} is deleted; the first record left is of "
        f"{moment(cut.first_ms)}, {missing} after --since. What was there of that time cannot be replayed."
    )


def duration(seconds: float) -> str:
    """Seconds in words: 4 s, 12 min, 3 h 20 min, 2 d 4 h."""
    whole = round(seconds)
    for (unit, length), (less, part) in (
        (("d", 86_400), ("h", 3_600)),
        (("h", 3_600), ("min", 60)),
        (("min", 60), ("s", 1)),
    ):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {less}" if rest else "")
    return f"{whole} s"


def camel(words: str) -> str:
    """Words as a program names them: `settledBefore`."""
    first, *rest = words.replace("-", " ").split()
    return first + "".join(word.title() for word in rest)


def at(ms: int | None) -> str | None:
    """A time as RFC 3339 text, if there is one."""
    return None if ms is None else moment(ms)


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all. Raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
