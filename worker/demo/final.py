"""The last screen: tables, one trace as a tree, and whether the books balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from worker.demo.books import Tally
from worker.demo.crash import Traces
from worker.demo.evidence import NO_ANSWER
from worker.demo.report import Report, Trace
from worker.demo.rokt import WORKERS
from worker.demo.spans import Span
from worker.telemetry import names

PROBLEMS_SHOWN: Final = 15
ANSWERS: Final = (names.HTTP_STATUS, names.ERROR_TYPE, names.ROKT_STATUS)


def final_screen(report: Report) -> RenderableType:
    """Everything, at most 80 columns wide."""
    blank = Text()
    facts = Table.grid(padding=(0, 3, 0, 0))
    facts.add_row(_counts("Rokt answered", report.calls), _counts("settled as", report.outcomes))
    facts.add_row(blank, blank)
    facts.add_row(
        _tallies("reservations", report.balance.reservations), _tallies("dead letters", report.balance.letters)
    )
    return Group(
        Text.assemble(
            ("rokt-worker demo", "bold"),
            f"   {report.carts} carts, seed {report.seed}, {report.seconds:.1f} s, "
            f"Rokt down for {report.outage_seconds:.1f} s of them",
        ),
        *([_crash(report.balance.crash)] if report.balance.crash is not None else []),
        blank,
        _records(report),
        blank,
        facts,
        blank,
        _waits(report),
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
            f" {total} records published and accounted for, {held} reservations as they must be, nothing done twice, "
            "every dead letter the original byte for byte."
        )
        return Text.assemble(("The books balance:", "bold green"), told)
    # No line is broken: it is for searching, too, and a terminal breaks it by itself.
    lines = Text(no_wrap=True, overflow="ignore")
    lines.append(f"The books do not balance, {len(balance.problems)} wrong:", "bold red")
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
    total = Tally(sum(report.topics.values()), sum(tally.found for tally in report.balance.records.values()))
    topics = " + ".join(str(count) for count in report.topics.values())
    table.add_row(Text("in all", "bold"), str(total.planned), Text(f"= {topics} by topic", "dim"), _found(total))
    return table


def _crash(traces: Traces) -> Text:
    counted = ((traces.outcomes, "outcome"), (traces.letters, "dead letter"))
    again = [f"{count} {what}{'s' if count > 1 else ''}" for count, what in counted if count]
    return Text(
        f"The worker was killed (kill -9) after {traces.after:.1f} s, with {traces.in_hand} records in hand, and "
        f"started again: {traces.calls} calls that it cut short were made again under their keys, "
        f"{' and '.join(again) or 'no result'} written once more."
    )


def _counts(heading: str, counts: Mapping[str, Counter[str]]) -> Table:
    """A row for each answer or status, a column for each operation."""
    table = _table(heading, *WORKERS)
    for name in sorted({name for by_name in counts.values() for name in by_name}, key=_rank):
        row = (counts[operation][name] if operation in counts else 0 for operation in WORKERS)
        table.add_row("no answer" if name == NO_ANSWER else name, *(str(count) if count else "-" for count in row))
    return table


def _tallies(heading: str, tallies: Mapping[Any, Tally]) -> Table:
    table = _table(heading, "expected", "found")
    for name, tally in tallies.items():
        table.add_row(str(name), str(tally.planned), _found(tally))
    return table


def _waits(report: Report) -> Text:
    times = report.waits
    told = f"  p50 {times.p50:.2f} s  p99 {times.p99:.2f} s  longest {times.longest:.2f} s, with outage and crash"
    return Text.assemble(("settled after", "bold"), told)


def _trace(trace: Trace | None, spans: int) -> RenderableType:
    if trace is None:
        return Text(f"No trace to show: {spans} spans came.")
    record = trace.published.record
    began = trace.published.timestamp_ms * 1_000_000
    tree = Tree(
        Text.assemble(("one trace, from the shop on", "bold"), f"  {record.key}  ", (record.trace_id, "dim")),
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
    answer = next((str(attributes[name]) for name in ANSWERS if name in attributes), "")
    resend = attributes.get(names.HTTP_RESEND_COUNT, 0)
    line = Text(f"{span.name:<{34 - indent}}")
    line.append(f"{answer:<11}", "red" if span.failed else "green")
    line.append(f"{f'resend {resend}' if resend else '':<9}")
    line.append(f"{f'+{(span.start - began) / 1e9:.3f}':>7} s {span.milliseconds:>8.1f} ms", "dim")
    return line


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _found(tally: Tally) -> Text:
    return Text(str(tally.found), "green" if tally.found == tally.planned else "bold red")


def _rank(status: str) -> tuple[int, str]:
    order = ("succeeded", "duplicate", "partial", "superseded", "rejected")
    return (order.index(status), "") if status in order else (len(order), status)
