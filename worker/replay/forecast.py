"""What a dry run found: what would become of each record, and which calls would be made. Pure.

Every record counts once in `records`, every call that an event asks for once in one of the counts of calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from worker.events import EventType
from worker.keys import Operation
from worker.ledger.entries import REDONE
from worker.replay.plan import Plan
from worker.replay.report import camel, plan_document
from worker.telemetry.names import Reason, Status

Expected = Literal["settled before", "superseded", "calls to make", "dead-lettered", "skipped", "passed over"]
"""What would become of a record. An event of several calls counts as the last of these that one of its calls does."""

EVENTS: Final[tuple[Expected, ...]] = ("settled before", "superseded", "calls to make", "dead-lettered")
OTHERS: Final[tuple[Expected, ...]] = ("skipped", "passed over")
ANSWER_SECONDS: Final = 0.2


@dataclass(slots=True)
class Forecast:
    """Counts. `records` by what would become of them; `events` by type; `calls` to make by operation.

    `settled`: calls settled before, by status; `superseded`: calls that would not be sent, by operation; `letters`:
    dead letters that would be written, by reason. `repeated`: calls that were counted as to be made already.
    `unknown_orders`: cancels of what nothing is known of yet, which are dead letters unless their confirms are in the
    stretch too. `seconds`: how long reading and looking up took.
    """

    records: Counter[Expected] = field(default_factory=Counter)
    events: Counter[EventType] = field(default_factory=Counter)
    settled: Counter[Status] = field(default_factory=Counter)
    calls: Counter[Operation] = field(default_factory=Counter)
    superseded: Counter[Operation] = field(default_factory=Counter)
    letters: Counter[Reason] = field(default_factory=Counter)
    repeated: int = 0
    unknown_orders: int = 0
    seconds: float = 0.0

    @property
    def read(self) -> int:
        """Records that were read."""
        return self.records.total()

    @property
    def given_up(self) -> int:
        """Calls settled before that a replay with --again would make again."""
        return sum(self.settled[status] for status in REDONE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds the calls of a replay: `rate` of its own and the fleet's `cap`, in calls a second, if there are any;
    how many one process makes at a time."""

    rate: float | None
    cap: float | None
    at_once: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the replay would take, in seconds, and on what grounds. `known`: its pace is set; else it is assumed."""

    seconds: float
    known: bool
    why: str


def estimate(forecast: Forecast, limits: Limits) -> Estimate:
    """One process, live traffic aside: the calls at their pace, and the reading as it went in the dry run."""
    calls, reading = forecast.calls.total(), forecast.seconds
    bounds = {"--rate": limits.rate, "WORKER_ROKT__MAX_CALLS_PER_SECOND": limits.cap}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if not forecast.read:
        return Estimate(0.0, known=True, why="there is nothing to replay")
    if not calls:
        return Estimate(reading, known=True, why="no call to make, only reading")
    if given:
        name = min(given, key=lambda name: given[name])
        return Estimate(calls / given[name] + reading, known=True, why=f"{given[name]:g} calls a second ({name})")
    assumed = limits.at_once / ANSWER_SECONDS
    return Estimate(
        calls / assumed + reading,
        known=False,
        why=f"neither --rate nor WORKER_ROKT__MAX_CALLS_PER_SECOND is set; if Rokt answers in {ANSWER_SECONDS:g} s, "
        f"{limits.at_once} calls at once are {assumed:,.0f} a second",
    )


def hints(forecast: Forecast, plan: Plan) -> list[str]:
    """What a person should know before the replay is run, a sentence each."""
    found: list[str] = []
    if forecast.read and forecast.records["passed over"] == forecast.read:
        found.append("None of these records is an event of a cart or order that was asked for.")
    if forecast.given_up and not plan.again:
        found.append(
            f"{forecast.given_up:,} calls were rejected or given up before: they are made again only with --again "
            "(rokt-worker dlq list says why they were)."
        )
    if forecast.unknown_orders:
        found.append(
            f"{forecast.unknown_orders:,} cancels name nothing that the ledger knows: dead letters "
            "(nothing-to-cancel), unless the confirms of their orders are in this stretch too."
        )
    if unreadable := forecast.letters["undecodable"] + forecast.letters["invalid"]:
        found.append(f"{unreadable:,} records cannot be read as events: each would be written as a dead letter again.")
    return found


def document(plan: Plan, forecast: Forecast, found: Estimate) -> dict[str, Any]:
    """For programs; every count is there, also when it is 0."""
    return {
        "replay": plan_document(plan),
        "records": forecast.read,
        "expected": {camel(part): forecast.records[part] for part in (*EVENTS, *OTHERS)},
        "events": {kind: forecast.events[kind] for kind in ("CheckoutCompleted", "OrderCancelled", "CartAbandoned")},
        "calls": {
            "toMake": _by_operation(forecast.calls),
            "superseded": _by_operation(forecast.superseded),
            "settledBefore": {status: forecast.settled[status] for status in STATUSES},
            "repeated": forecast.repeated,
        },
        "deadLetters": dict(sorted(forecast.letters.items())),
        "hints": hints(forecast, plan),
        "estimate": {"seconds": round(found.seconds, 1), "known": found.known, "why": found.why},
        "readSeconds": round(forecast.seconds, 3),
    }


STATUSES: Final[tuple[Status, ...]] = ("succeeded", "duplicate", "partial", "rejected", "superseded", "dead")


def _by_operation(counts: Mapping[Operation, int]) -> dict[str, int]:
    operations: tuple[Operation, ...] = ("confirm", "cancel", "release")
    return {operation: counts[operation] for operation in operations}
