"""The books: what the shop published against what the broker and Rokt hold at the end. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from worker.demo.evidence import Evidence, Letter, Outcome, Published, RoktCall
from worker.demo.fates import LETTER, Ending, Fate, Kind, State
from worker.demo.script import Script

STATUS: dict[Ending, tuple[str, ...]] = {
    "done": ("succeeded", "duplicate"),
    "again": ("rejected", "duplicate"),
    "refused": ("rejected",),
    "partly": ("partial",),
    "failed": ("rejected",),
}
HTTP: dict[Ending, tuple[int, ...]] = {
    "done": (200, 409),
    "again": (409,),
    "refused": (400, 422),
    "partly": (200,),
    "failed": (200,),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many there must be and how many there are."""

    planned: int
    found: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What the books say; `problems` is empty when they balance. Records are tallied by whether they are in order."""

    problems: tuple[str, ...]
    records: dict[Kind, Tally]
    reservations: dict[State, Tally]
    letters: dict[str, Tally]

    @property
    def balanced(self) -> bool:
        """Whether everything is accounted for."""
        return not self.problems


def audit(script: Script, evidence: Evidence) -> Balance:
    """Compares; every difference is a sentence."""
    accounts = _accounts(evidence)
    wrong = [list(_record(account)) for account in accounts]
    planned = Counter(record.fate.kind for record in script.records)
    right = Counter(account.fate.kind for account, found in zip(accounts, wrong, strict=True) if not found)
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
        letters=_tally_letters(accounts, evidence),
    )


@dataclass(frozen=True, slots=True)
class _Account:
    """One record with all that was found of it."""

    published: Published
    outcomes: tuple[Outcome, ...]
    letters: tuple[Letter, ...]
    calls: tuple[RoktCall, ...]

    @property
    def fate(self) -> Fate:
        return self.published.record.fate

    @property
    def name(self) -> str:
        topic, partition, offset = self.published.position
        return f"{topic} {partition}/{offset} ({self.published.record.key}, {self.fate.kind.label})"

    def was_resent(self, outcome: Outcome) -> bool:
        """Whether Rokt saw this very call before: a 409 then says that it was done."""
        return sum(call.key == outcome.key for call in self.calls) > 1

    def planned_letters(self) -> list[str]:
        """The reasons of its dead letters. A call made again whose first answer was lost is told as a duplicate."""
        fate = self.fate
        if fate.reason is not None:
            return [fate.reason]
        if fate.ending not in LETTER:
            return []
        spared = sum(self.was_resent(outcome) for outcome in self.outcomes) if fate.ending == "again" else 0
        return [LETTER[fate.ending]] * (fate.calls - spared)


def _accounts(evidence: Evidence) -> list[_Account]:
    outcomes, letters, calls = defaultdict(list), defaultdict(list), defaultdict(list)
    for outcome in evidence.outcomes:
        outcomes[outcome.position].append(outcome)
    for letter in evidence.letters:
        letters[letter.position].append(letter)
    for call in evidence.calls:
        calls[call.trace_id].append(call)
    return [
        _Account(one, tuple(outcomes[at]), tuple(letters[at]), tuple(calls[one.record.trace_id]))
        for one in evidence.published
        for at in (one.position,)
    ]


def _record(account: _Account) -> Iterator[str]:
    """What is wrong with one record's end."""
    fate, name = account.fate, account.name
    if len(account.outcomes) != fate.calls:
        yield f"{name}: {len(account.outcomes)} outcomes, {fate.calls} expected"
    if fate.calls == 0 and account.calls:
        yield f"{name}: {len(account.calls)} calls reached Rokt, none expected"
    for outcome in account.outcomes:
        yield from _outcome(account, outcome)
    found = sorted(letter.reason for letter in account.letters)
    planned = sorted(account.planned_letters())
    if found != planned:
        yield f"{name}: dead letters {found or 'none'}, expected {planned or 'none'}"
    for letter in account.letters:
        if not _same(account.published, letter):
            yield f"{name}: the dead letter is not the original, byte for byte"


def _outcome(account: _Account, outcome: Outcome) -> Iterator[str]:
    ending, resent = account.fate.ending, account.was_resent(outcome)
    said = f"{account.name}: outcome {outcome.status} ({outcome.http_status})"
    if outcome.status not in STATUS.get(ending, ()) or outcome.http_status not in HTTP.get(ending, ()):
        yield f"{said}, expected {' or '.join(STATUS.get(ending, ('none',)))}"
    elif outcome.status == "duplicate" and not resent:
        yield f"{said}, but Rokt saw that call once"
    elif ending == "again" and resent and outcome.status == "rejected":
        yield f"{said}, but the call was re-sent: a 409 then says that it was done"
    if outcome.trace_id != account.published.record.trace_id:
        yield f"{account.name}: the outcome's trace is not the shop's"


def _same(published: Published, letter: Letter) -> bool:
    record = published.record
    return (
        letter.topic == f"{record.topic}.dlq"
        and letter.key == record.key.encode()
        and letter.value == record.value
        and letter.timestamp_ms == published.timestamp_ms
        and letter.headers[: len(record.headers)] == tuple(record.headers)
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


def _tally(states: Iterable[State], planned: Counter[State], found: Iterable[str]) -> dict[State, Tally]:
    there = Counter(found)
    return {state: Tally(planned[state], there[state]) for state in states}


def _tally_letters(accounts: Sequence[_Account], evidence: Evidence) -> dict[str, Tally]:
    planned = Counter(reason for account in accounts for reason in account.planned_letters())
    found = Counter(letter.reason for letter in evidence.letters)
    return {reason: Tally(planned[reason], found[reason]) for reason in sorted(planned | found)}
