"""The last screen: tables, one trace as a tree, and whether the books balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from worker.demo.books import Tally
from worker.demo.evidence import NO_ANSWER
from worker.demo.report import Report, Trace
from worker.demo.spans import Span
from worker.telemetry import names

PROBLEMS_SHOWN: Final = 15
WIDE: Final = 80


def final_screen(report: Report) -> RenderableType:
    """Everything, at most 80 columns wide."""
    blank = Text()
    facts = Table.grid(padding=(0, 4, 0, 0))
    facts.add_row(
        _tallies("at Rokt in the end", report.balance.reservations),
        _tallies("dead letters", report.balance.letters),
        _waits(report),
    )
    return Group(
        Text.assemble(
            ("rokt-worker demo", "bold"),
            f"   {report.carts} carts, seed {report.seed}, {report.seconds:.1f} s, "
            f"Rokt down for {report.outage_seconds:.1f} s of them",
        ),
        blank,
        _records(report),
        blank,
        _calls(report),
        blank,
        facts,
        blank,
        _trace(report.trace, report.spans),
        blank,
        books_line(report),
    )


def books_line(report: Report) -> Text:
    """The sentence that it all comes to; with every difference when there are any."""
    balance, total = report.balance, sum(report.topics.values())
    if balance.balanced:
        held = sum(tally.found for tally in balance.reservations.values())
        told = (
            f" {total} records published, {total} accounted for; {held} reservations\n"
            "as they must be, nothing done twice, every dead letter the original byte for byte."
        )
        return Text.assemble(("The books balance:", "bold green"), told)
    lines = Text.assemble((f"The books do not balance: {len(balance.problems)} differences.", "bold red"))
    for problem in balance.problems[:PROBLEMS_SHOWN]:
        lines.append(f"\n  {problem}")
    if (more := len(balance.problems) - PROBLEMS_SHOWN) > 0:
        lines.append(f"\n  and {more} more; --json has all of them")
    return lines


def _records(report: Report) -> Table:
    table = _table("the shop published", "records", "what must become of each", "found")
    table.columns[2].justify = "left"
    for kind, tally in report.balance.records.items():
        table.add_row(kind.label, str(tally.planned), kind.ends, _found(tally))
    counts = ", ".join(f"{topic} {count}" for topic, count in report.topics.items())
    total = Tally(sum(report.topics.values()), sum(tally.found for tally in report.balance.records.values()))
    table.add_row(Text("in all", "bold"), Text(str(total.planned), "bold"), "", _found(total))
    table.caption = counts
    table.caption_justify = "left"
    table.caption_style = "dim"
    return table


def _calls(report: Report) -> Table:
    answers = sorted({answer for counts in report.calls.values() for answer in counts})
    statuses = sorted({status for counts in report.outcomes.values() for status in counts}, key=_rank)
    headings = ["no answer" if answer == NO_ANSWER else answer for answer in answers]
    table = _table("calls, by answer", *headings, "and settled as", *statuses)
    for operation, counts in report.calls.items():
        settled = report.outcomes.get(operation, {})
        row = [counts.get(answer, 0) for answer in answers]
        ends = [settled.get(status, 0) for status in statuses]
        table.add_row(operation, *map(_count, row), "", *map(_count, ends))
    return table


def _tallies(heading: str, tallies: dict[str, Tally] | dict[object, Tally] | object) -> Table:
    table = _table(heading, "must", "is")
    if isinstance(tallies, dict):
        for name, tally in tallies.items():
            table.add_row(str(name), str(tally.planned), _found(tally))
    return table


def _waits(report: Report) -> Table:
    table = _table("event to settled", "s")
    for name, seconds in (("p50", report.waits.p50), ("p99", report.waits.p99), ("longest", report.waits.longest)):
        table.add_row(name, f"{seconds:.3f}")
    return table


def _trace(trace: Trace | None, spans: int) -> RenderableType:
    if trace is None:
        return Text(f"No trace to show: {spans} spans came.")
    record = trace.published.record
    began = trace.published.timestamp_ms * 1_000_000
    tree = Tree(
        Text.assemble(
            ("one trace", "bold"), f": {record.key} published, its confirm {trace.outcome.status} ", (record.trace_id, "dim")
        ),
        guide_style="dim",
    )
    branches = {record.span_id: tree}
    for depth, span in enumerate(_parents_first(trace.spans, record.span_id)):
        parent = branches.get(span.parent_id, tree)
        branches[span.span_id] = parent.add(_span(span, began, indent=0 if depth == 0 else 4))
    return tree


def _parents_first(spans: Sequence[Span], root: str) -> list[Span]:
    return sorted(spans, key=lambda span: (span.parent_id != root, span.start))


def _span(span: Span, began: int, *, indent: int) -> Text:
    attributes = span.attributes
    answer = str(attributes.get(names.HTTP_STATUS, attributes.get(names.ERROR_TYPE, "")))
    resend = attributes.get(names.HTTP_RESEND_COUNT, 0)
    line = Text(f"{span.name:<{34 - indent}}")
    line.append(f"{answer:<10}", "red" if span.failed else "green")
    line.append(f"{f'resend {resend}' if resend else '':<10}")
    line.append(f"{(span.start - began) / 1e9:>7.3f} s {span.milliseconds:>8.1f} ms", "dim")
    return line


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _found(tally: Tally) -> Text:
    return Text(str(tally.found), "green" if tally.found == tally.planned else "bold red")


def _count(number: int) -> str:
    return str(number) if number else "-"


def _rank(status: str) -> int:
    order = ("succeeded", "duplicate", "partial", "rejected")
    return order.index(status) if status in order else len(order)
