"""What a crash of the worker may leave behind, and no more: the books strike it out before they compare. Pure.

Between a result that is written and the note or the commit that says so, a crash has it written once more: the same
again, of a record that was in hand, once before the crash and once after it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from worker.demo.evidence import Crash, Evidence, Letter, Outcome

T = TypeVar("T", Outcome, Letter)


@dataclass(frozen=True, slots=True)
class Traces:
    """What is left of a crash: records in hand, calls made again under their keys, results written once more."""

    after: float
    in_hand: int
    calls: int
    outcomes: int
    letters: int


def strike_out(evidence: Evidence) -> tuple[Evidence, Traces | None]:
    """The evidence as it were without the crash, and what was struck out."""
    crash = evidence.crash
    if crash is None:
        return evidence, None
    given = {one.position: len(one.record.headers) for one in evidence.published}
    outcomes = _without_repeats(evidence.outcomes, crash.outcomes, crash, lambda outcome: outcome)
    letters = _without_repeats(
        evidence.letters, crash.letters, crash, lambda letter: _original(letter, given.get(letter.position, 0))
    )
    traces = Traces(
        after=crash.after,
        in_hand=len(crash.in_hand),
        calls=len(_keys(evidence, 0, crash.calls) & _keys(evidence, crash.calls, None)),
        outcomes=len(evidence.outcomes) - len(outcomes),
        letters=len(evidence.letters) - len(letters),
    )
    return replace(evidence, outcomes=outcomes, letters=letters), traces


def called_again(evidence: Evidence) -> Iterable[str]:
    """The keys that were called after the crash, though an outcome told before it that they are settled."""
    crash = evidence.crash
    if crash is None:
        return []
    told = {outcome.key for outcome in evidence.outcomes[: crash.outcomes]}
    return sorted(told & _keys(evidence, crash.calls, None))


def _without_repeats(found: Sequence[T], before: int, crash: Crash, what: Callable[[T], Hashable]) -> tuple[T, ...]:
    once = {what(one) for one in found[:before] if one.position in crash.in_hand}
    kept: list[T] = list(found[:before])
    for one in found[before:]:
        if what(one) in once:
            once.remove(what(one))
        else:
            kept.append(one)
    return tuple(kept)


def _original(letter: Letter, headers: int) -> Hashable:
    """A letter without when and by which attempt it was written; so many of its headers are the event's."""
    at, original = letter.position, letter.headers[:headers]
    return at, letter.topic, letter.reason, letter.key, letter.value, letter.timestamp_ms, original


def _keys(evidence: Evidence, start: int, end: int | None) -> set[str]:
    return {call.key for call in evidence.calls[start:end] if call.key}
