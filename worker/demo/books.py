"""The books: what the shop published against what the broker and Rokt hold at the end. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from worker.demo.accounts import accounts
from worker.demo.crash import Traces, called_again, strike_out
from worker.demo.evidence import Evidence
from worker.demo.fates import Kind, State
from worker.demo.script import Script


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there must be and how many there are."""

    planned: int
    found: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What the books say; `problems` is empty when they balance. Records are tallied by whether they are in order.

    `crash` is what is left of the crash, if there was one.
    """

    problems: tuple[str, ...]
    records: dict[Kind, Tally]
    reservations: dict[State, Tally]
    letters: dict[str, Tally]
    crash: Traces | None = None

    @property
    def balanced(self) -> bool:
        """Whether everything is accounted for."""
        return not self.problems


def audit(script: Script, evidence: Evidence) -> Balance:
    """Compares; every difference is a sentence."""
    evidence, traces = strike_out(evidence)
    all_accounts = accounts(evidence)
    wrong = [list(account.problems()) for account in all_accounts]
    planned = Counter(record.fate.kind for record in script.records)
    right = Counter(account.fate.kind for account, found in zip(all_accounts, wrong, strict=True) if not found)
    problems = chain(
        _unpublished(script, evidence),
        chain.from_iterable(wrong),
        _strangers(evidence),
        _offsets(evidence),
        _at_rokt(script, evidence),
        _twice(evidence),
    )
    return Balance(
        problems=tuple(problems),
        records={kind: Tally(planned[kind], right[kind]) for kind in Kind if planned[kind]},
        reservations=_tally(
            State, Counter(script.reservations.values()), (held.state for held in evidence.reservations.values())
        ),
        letters=_tally_letters(script, evidence),
        crash=traces,
    )


def _unpublished(script: Script, evidence: Evidence) -> Iterator[str]:
    there = {one.record.number for one in evidence.published}
    for record in script.records:
        if record.number not in there:
            yield f"{record.topic} ({record.key}, {record.fate.kind.label}): never published"


def _strangers(evidence: Evidence) -> Iterator[str]:
    """Outcomes, letters and calls that belong to no record."""
    positions = {one.position for one in evidence.published}
    traces = {one.record.trace_id for one in evidence.published}
    for what, found in (("outcome", evidence.outcomes), ("dead letter", evidence.letters)):
        for one in found:
            if one.position not in positions:
                yield f"{what} for {'{} {}/{}'.format(*one.position)}: no such record was published"
    for call in evidence.calls:
        if call.trace_id not in traces:
            yield f"a {call.operation} reached Rokt in a trace that is no record's"


def _offsets(evidence: Evidence) -> Iterator[str]:
    published = Counter((topic, partition) for topic, partition, _ in (one.position for one in evidence.published))
    for place, end in sorted(evidence.ends.items()):
        topic, partition = place
        if published[place] != end:
            yield f"{topic} {partition}: {end} records in it, {published[place]} published"
        if (committed := evidence.committed.get(place, 0)) != end:
            yield f"{topic} {partition}: committed up to {committed}, the end is {end}"


def _at_rokt(script: Script, evidence: Evidence) -> Iterator[str]:
    for id_, planned in script.reservations.items():
        held = evidence.reservations.get(id_)
        if held is None or held.state != planned:
            yield f"{id_}: {held.state if held else 'not known'} at Rokt, expected {planned}"
    for id_ in evidence.reservations.keys() - script.reservations.keys():
        yield f"{id_}: at Rokt, and in no event"
    for order in sorted(script.orders ^ evidence.orders.keys()):
        yield f"{order}: {'known' if order in evidence.orders else 'not known'} at Rokt, expected otherwise"


def _twice(evidence: Evidence) -> Iterator[str]:
    for what, count in evidence.twice.items():
        if count:
            yield f"Rokt counts {what.replace('_', ' ')}: {count}"
    for id_, held in evidence.reservations.items():
        if max(held.confirms, held.cancels, held.releases) > 1:
            yield f"{id_}: something took effect twice"
    for order, confirms in evidence.orders.items():
        if confirms != 1:
            yield f"{order}: confirmed {confirms} times"
    applied = Counter(call.key for call in evidence.calls if call.applied)
    for key, times in applied.items():
        if times > 1:
            yield f"idempotency key {key}: done {times} times"
    for key in called_again(evidence):
        yield f"idempotency key {key}: called again after the crash, though it was settled before"


def _tally(states: Iterable[State], planned: Counter[State], found: Iterable[str]) -> dict[State, Tally]:
    there = Counter(found)
    return {state: Tally(planned[state], there[state]) for state in states}


def _tally_letters(script: Script, evidence: Evidence) -> dict[str, Tally]:
    planned: Counter[str] = Counter(reason for record in script.records for reason in record.fate.letters)
    found = Counter(letter.reason for letter in evidence.letters)
    return {reason: Tally(planned[reason], found[reason]) for reason in sorted(planned | found)}
