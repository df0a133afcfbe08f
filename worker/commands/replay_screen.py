"""How a replay is shown: its plan, its forecast, its report, and how far it has come meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from worker.commands.speaking import Cell, Marked, Shown, Table
from worker.replay import forecast as foreseen
from worker.replay.forecast import Estimate, Forecast, hints
from worker.replay.plan import Plan, described
from worker.replay.report import Report, cut_short, duration
from worker.replay.request import EVENTS, OTHERS, Progress

SHOWN_STRETCHES: Final = 12
SURE_SECONDS: Final = 2.0
STUCK_SECONDS: Final = 10.0


def planned(plan: Plan) -> list[Shown]:
    """What is to be replayed."""
    rows: list[list[Cell]] = [["replay", plan.name]]
    rows += [[name, value] for name, value in described(plan.wanted)]
    stretches: list[list[Cell]] = [[s.topic, s.partition, s.start, s.end] for s in plan.stretches[:SHOWN_STRETCHES]]
    shown: list[Shown] = [Table((), rows), "", Table(("topic", "partition", "from offset", "up to"), stretches)]
    if (more := len(plan.stretches) - SHOWN_STRETCHES) > 0:
        shown.append(f"... and {more:,} more partitions")
    return shown if stretches else shown[:1]


def warnings(plan: Plan) -> list[str]:
    """What of it is gone."""
    return [cut_short(cut, plan.wanted.since_ms) for cut in plan.cuts]


def expected(found: Forecast, takes: Estimate, plan: Plan) -> list[Shown]:
    """What a dry run found."""
    rows: list[list[Cell]] = [["records", found.read, ""]]
    rows += [[f"  {part}", found.records[part], _detail(found, part)] for part in (*foreseen.EVENTS, *foreseen.OTHERS)]
    rows.append(["events", found.events.total(), _listed(found.events.items())])
    rows.append(["calls to make", found.calls.total(), _listed(found.calls.items())])
    rows.append(["calls settled before", found.settled.total(), _listed(found.settled.items())])
    rows.append(["calls superseded", found.superseded.total(), _listed(found.superseded.items())])
    rows.append(["dead letters to write", found.letters.total(), _listed(found.letters.items())])
    took = duration(takes.seconds)
    pace = f"It would take about {took}" if takes.known else f"How long it would take is not known, perhaps {took}"
    shown: list[Shown] = [Table((), rows), "", f"{pace}: {takes.why}."]
    return [*shown, *hints(found, plan)]


def reported(report: Report) -> list[Shown]:
    """What a replay came to."""
    come = report.come
    state = Marked(report.state, "good" if come.finished else "doubtful")
    books = (
        Marked("balanced", "good")
        if report.balanced
        else Marked(_unbalanced(report), "bad" if come.finished else "doubtful")
    )
    rows: list[list[Cell]] = [["replay", report.plan.name, ""], ["state", state, ""], ["books", books, ""]]
    counts: list[list[Cell]] = [["events read", report.events]]
    counts += [[f"  {part}", come.counts.get(part, 0)] for part in EVENTS]
    counts += [[part, count] for part in OTHERS if (count := come.counts.get(part, 0))]
    counts += [["records", report.records], ["offsets", come.offsets], ["  of the plan's", report.plan.offsets]]
    if report.without_record:
        counts.append(["  without a record", report.without_record])
    counts.append(["calls begun", come.calls])
    return [Table((), rows), "", Table((), counts), "", f"It took {duration(report.seconds)} from its first record on."]


class Watch:
    """Says how far a run has come, and how long it still takes at its pace here; while nothing moves, that is open."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self._offsets = plan.offsets
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._moved: tuple[float, int] = (0.0, 0)

    def line(self, progress: Progress) -> str:
        """One line."""
        come = progress.come
        waits = f"waits for {progress.waits_for}" if progress.waits_for else ""
        told = (of(come.offsets, self._offsets, "offsets"), f"{come.calls:,} calls", self._left(come.offsets), waits)
        return ", ".join(part for part in told if part)

    def _left(self, done: int) -> str:
        now = self._clock()
        if self._began is None:
            self._began = self._moved = now, done
        if done != self._moved[1]:
            self._moved = now, done
        began, first = self._began
        if done == first or now - began < SURE_SECONDS or now - self._moved[0] > STUCK_SECONDS:
            return ""
        return f"about {duration((self._offsets - done) * (now - began) / (done - first))} left"


def of(done: int, total: int, what: str) -> str:
    """So much of so much."""
    return f"{done:,} of {total:,} {what} ({done / max(total, 1):.0%})"


def _detail(found: Forecast, part: str) -> str:
    return (
        f"{found.repeated:,} of them named again in the stretch" if part == "settled before" and found.repeated else ""
    )


def _listed(counts: object) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts) if count)  # type: ignore[call-overload]


def _unbalanced(report: Report) -> str:
    return "do not balance" if report.come.finished else "open: it is not finished"
