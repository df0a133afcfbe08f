"""The account of one record: all that was found of it, and what is wrong with its end. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from worker.demo.evidence import Evidence, Letter, Outcome, Published, RoktCall
from worker.demo.fates import ENDS, SENT, Fate


@dataclass(frozen=True, slots=True)
class Account:
    """One record with its outcomes, its dead letters, and the calls in its trace."""

    published: Published
    outcomes: tuple[Outcome, ...]
    letters: tuple[Letter, ...]
    calls: tuple[RoktCall, ...]

    @property
    def fate(self) -> Fate:
        """What must become of it."""
        return self.published.record.fate

    @property
    def name(self) -> str:
        """The record, for a sentence."""
        topic, partition, offset = self.published.position
        return f"{topic} {partition}/{offset} ({self.published.record.key}, {self.fate.kind.label})"

    def problems(self) -> Iterator[str]:
        """A sentence for each difference between what was found and its fate."""
        if len(self.outcomes) != self.fate.outcomes:
            yield f"{self.name}: {len(self.outcomes)} outcomes, {self.fate.outcomes} expected"
        for outcome in self.outcomes:
            yield from self._outcome(outcome)
        yield from self._calls()
        yield from self._letters()

    def _outcome(self, outcome: Outcome) -> Iterator[str]:
        expected = ENDS.get(self.fate.ending, frozenset())
        said = f"{self.name}: outcome {outcome.status} ({outcome.http_status})"
        if (outcome.status, outcome.http_status) not in expected:
            yield f"{said}, expected {' or '.join(sorted(f'{s} ({h})' for s, h in expected)) or 'none'}"
        elif outcome.status == "duplicate" and not self._was_resent(outcome):
            yield f"{said}, but Rokt saw that call once"
        if outcome.trace_id != self.published.record.trace_id:
            yield f"{self.name}: the outcome's trace is not the shop's"

    def _was_resent(self, outcome: Outcome) -> bool:
        """Whether Rokt saw this very call before: a 409 then says that it was done."""
        return sum(call.key == outcome.key for call in self.calls) > 1

    def _calls(self) -> Iterator[str]:
        if self.fate.ending not in SENT:
            if self.calls:
                yield f"{self.name}: {len(self.calls)} calls reached Rokt, none expected"
            return
        called, told = {call.key for call in self.calls}, {outcome.key for outcome in self.outcomes}
        if called != told:
            yield f"{self.name}: calls under {len(called)} keys reached Rokt, there are outcomes of {len(told)}"
            yield from (f"{self.name}: of key {key} there is no outcome" for key in called - told)
            yield from (f"{self.name}: of key {key} there is no call" for key in told - called)

    def _letters(self) -> Iterator[str]:
        found = sorted(letter.reason for letter in self.letters)
        expected = sorted(self.fate.letters)
        if found != expected:
            yield f"{self.name}: dead letters {found or 'none'}, expected {expected or 'none'}"
        for letter in self.letters:
            if not self._is_original(letter):
                yield f"{self.name}: the dead letter is not the original, byte for byte"

    def _is_original(self, letter: Letter) -> bool:
        record = self.published.record
        return (
            letter.topic == f"{record.topic}.dlq"
            and letter.key == record.key.encode()
            and letter.value == record.value
            and letter.timestamp_ms == self.published.timestamp_ms
            and letter.headers[: len(record.headers)] == tuple(record.headers)
        )


def accounts(evidence: Evidence) -> list[Account]:
    """One for each record that was published."""
    outcomes, letters, calls = defaultdict(list), defaultdict(list), defaultdict(list)
    for outcome in evidence.outcomes:
        outcomes[outcome.position].append(outcome)
    for letter in evidence.letters:
        letters[letter.position].append(letter)
    for call in evidence.calls:
        calls[call.trace_id].append(call)
    return [
        Account(one, tuple(outcomes[at]), tuple(letters[at]), tuple(calls[one.record.trace_id]))
        for one in evidence.published
        for at in (one.position,)
    ]
