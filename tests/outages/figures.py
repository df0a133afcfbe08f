"""What is measured of a run, and the table of all runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from outages.circuits import Open
from outages.rates import between, most_in_a_second

# A call that was let go when the circuit opened may be on its way still.
ON_ITS_WAY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to call Rokt, as the proxy saw it; as the log tells where it could not come so far."""

    at: float
    operation: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. Times in seconds; `dead` by reason; `full_after`: from Rokt's recovery to 90 % of the rate before."""

    name: str
    events: int
    lost: int
    doubled: int
    dead: Counter[str]
    fault_seconds: float
    calls_in_fault: int
    open_calls: int
    open_seconds: float
    open_most: int
    circuits: frozenset[str]
    rate_before: float | None = None
    rate_after: float | None = None
    full_after: float | None = None
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def dead_letters(self) -> int:
        return self.dead.total()


def while_open(attempts: Sequence[Attempt], spans: Iterable[Open]) -> tuple[int, float, int]:
    """Of the circuit that let most calls through: calls, seconds open, the most calls in a second."""
    found: dict[str, tuple[int, float, int]] = {}
    for span in spans:
        times = [attempt.at for attempt in attempts if span.holds(attempt.operation)]
        held = between(times, span.since + ON_ITS_WAY_SECONDS, span.until)
        calls, seconds, most = found.get(span.circuit, (0, 0.0, 0))
        seconds += span.until - span.since
        found[span.circuit] = calls + len(held), seconds, max(most, most_in_a_second(held))
    return max(found.values(), key=lambda one: (one[0] - one[1], one[1]), default=(0, 0.0, 0))


COLUMNS = (
    ("run", "<34"),
    ("events", ">7"),
    ("lost", ">5"),
    ("doubled", ">8"),
    ("dead", ">5"),
    ("fault s", ">8"),
    ("calls in it", ">12"),
    ("open s", ">8"),
    ("calls open", ">11"),
    ("most/s open", ">12"),
    ("rate before", ">12"),
    ("after", ">7"),
    ("full after s", ">13"),
)


def table(runs: Iterable[Figures]) -> list[str]:
    """A line for each run, below a line of headings."""
    lines = ["".join(f"{name:{form}}" for name, form in COLUMNS)]
    for run in runs:
        cells = (
            run.name,
            run.events,
            run.lost,
            run.doubled,
            run.dead_letters,
            _number(run.fault_seconds),
            run.calls_in_fault,
            _number(run.open_seconds),
            run.open_calls,
            run.open_most,
            _number(run.rate_before),
            _number(run.rate_after),
            _number(run.full_after),
        )
        line = "".join(f"{cell!s:{form}}" for cell, (_, form) in zip(cells, COLUMNS, strict=True))
        more = [f"{name} {_number(value)}" for name, value in (*run.dead.items(), *run.notes.items())]
        lines.append(f"{line}  {', '.join(more)}".rstrip())
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}".removesuffix(".0")
