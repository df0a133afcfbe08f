"""What has to be true of every run: a list of named checks, each of which yields what contradicts it.

Those that only a ledger makes true are marked so, and left out while `WITH_LEDGER` is false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from simulation.books import Books, Position, by_key, refused
from simulation.checks_of_redriving import (
    begins_again_for_the_last_letter_only,
    begins_nothing_again_that_is_done_with,
    confirms_nothing_that_was_cancelled,
    redriven_letters_end,
    sends_no_key_again_that_was_rejected,
)
from simulation.checks_of_the_gate import (
    gives_up_only_poison,
    knocks_once_in_a_while,
    says_truly_that_nothing_was_done,
    stops_when_all_is_rejected,
    waits_as_long_as_it_was_asked_to,
)
from simulation.conditions import WITH_LEDGER
from simulation.history import CANCELS, Effect, Publication, effects_of
from simulation.rokt import Sent
from worker.handover import from_text

FORGETFUL = 3600.0
"""A Rokt that keeps keys for less long than this may have forgotten one within a run."""
SETTLING_SECONDS = 10.0
"""A process that lives so long after an answer has had the time to write it down."""


@dataclass(frozen=True, slots=True)
class Check:
    """`find` yields a sentence for everything that contradicts `name`."""

    name: str
    find: Callable[[Books], Iterator[str]]
    needs_ledger: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A check that did not hold, and the first of what contradicts it."""

    name: str
    example: str


def reckon(books: Books, *, with_ledger: bool = WITH_LEDGER) -> list[Broken]:
    """The checks that did not hold."""
    checks = [check for check in CHECKS if with_ledger or not check.needs_ledger]
    found = ((check.name, next(check.find(books), None)) for check in checks)
    return [Broken(name, example) for name, example in found if example is not None]


def comes_to_an_end(books: Books) -> Iterator[str]:
    if not books.world.came_to_an_end:
        yield "not everything was committed, or not every worker ended, in a calm of a quarter of an hour"


def has_no_defect(books: Books) -> Iterator[str]:
    yield from books.world.trace.defects


def loses_nothing(books: Books) -> Iterator[str]:
    """Every call was applied, or an event that asks for it is in a dead letter, or see `Books.taken_for_done`."""
    buried = {e for position in books.published if books.letters[position] for e in books.published[position].effects}
    for position, publication in books.published.items():
        if _superseded(books, publication):
            continue
        for effect in publication.effects:
            if WITH_LEDGER and books.may_be_left_out(effect):
                continue
            if not (effect in books.taken or effect in buried) and not books.taken_for_done(effect):
                yield f"{_at(position)}: {effect} was never done, and there is no dead letter"


def buries_poison_and_nothing_else(books: Books) -> Iterator[str]:
    for position, publication in books.published.items():
        reasons = {letter.reason for letter in books.letters[position]}
        done = WITH_LEDGER and books.may_be_resolved(publication)
        if publication.poison and publication.poison not in reasons and not done:
            yield f"{_at(position)} is {publication.poison}, and there is no such dead letter"
        for reason in reasons - {publication.poison}:
            if not done and not any(_cause(books, reason, effect) for effect in publication.effects):
                yield f"{_at(position)}: a dead letter for {reason}, without a cause"


def copies_dead_letters_byte_for_byte(books: Books) -> Iterator[str]:
    for position, letters in books.letters.items():
        if (original := books.records.get(position)) is None:
            yield f"{_at(position)} has a dead letter and was never published"
            continue
        for letter in letters:
            record = letter.record
            same = (record.key, record.value, record.timestamp_ms) == (
                original.key,
                original.value,
                original.timestamp_ms,
            )
            if not same or record.headers[: len(original.headers)] != original.headers:
                yield f"{_at(position)}: its dead letter is not like it"


def keeps_each_carts_order(books: Books) -> Iterator[str]:
    """Effects of one cart or order, within one partition, come in the order of its records."""
    for name, positions in books.lanes():
        before = -1.0
        for position in positions:
            if WITH_LEDGER and (position[0] == CANCELS or position in books.redriven):
                continue  # it may wait for its confirm, or be given up, and others go ahead
            fresh = [effect for effect in books.published[position].effects if books.first[effect] == position]
            moments = [books.taken[effect] for effect in fresh if effect in books.taken]
            if moments and min(moments) < before:
                yield f"{name}: {_at(position)} took effect before an earlier one"
            before = max([before, *moments])


def calls_for_a_cart_one_at_a_time(books: Books) -> Iterator[str]:
    for (process, name), requests in books.at_rokt().items():
        for earlier, later in pairwise(requests):
            if earlier.over_at is None or later.sent_at < earlier.over_at:
                yield f"{process}: {later.number} was sent for {name} while {earlier.number} was under way"


def has_one_key_for_each_call(books: Books) -> Iterator[str]:
    """A confirm or release that is made again after a crash may be about fewer items than it was."""
    meanings: dict[str, tuple[object, object, frozenset[Effect]]] = {}
    keys: dict[object, str] = {}
    for sent in books.world.rokt.sent:
        meaning = (sent.operation, sent.body.get("cartId"), frozenset(effects_of(sent.operation, sent.body)))
        known = meanings.setdefault(sent.key, meaning)
        if known[:2] != meaning[:2] or not known[2] >= meaning[2]:
            yield f"{sent.key} stands for {meanings[sent.key]} and for {meaning}"
        base, _ = books.base_of[sent.key]
        if keys.setdefault(meaning, base) != base:
            yield f"{meaning} has the keys {keys[meaning]} and {sent.key}"


def commits_what_is_settled_and_nothing_else(books: Books) -> Iterator[str]:
    """Below a commit, and in the text beside it, stand only records of which it is written what became of them."""
    settled = {position: books.settled_at(position, anywhere=WITH_LEDGER) for position in books.published}
    for commit in books.world.group.commits:
        above = from_text(commit.offset, commit.metadata).settled
        for position, index in settled.items():
            if position[:2] == commit.partition and (position[2] < commit.offset or position[2] in above):
                published = books.world.broker.written.index(books.records[position]) < commit.written
                if published and (index is None or index >= commit.written):
                    yield f"{commit.by} committed {_at(position)} at {commit.at:.3f} s, which was not settled"


def writes_true_outcomes(books: Books) -> Iterator[str]:
    """A call that is said to have succeeded was applied; one said to be a duplicate had been judged before."""
    for outcome in books.outcomes:
        sent = books.calls[books.base_of[outcome.key][0]]
        match outcome.status:
            case "succeeded" | "partial" if not any(s.applied for s in sent):
                yield f"{outcome.key} is {outcome.status} for {_at(outcome.source)}, and was not applied"
            case "duplicate" if not any(s.processed_at is not None for s in sent):
                yield f"{outcome.key} is a duplicate for {_at(outcome.source)}, and was never at Rokt"


def has_no_effective_double(books: Books) -> Iterator[str]:
    """But where an answer was lost, or its worker with it, and Rokt has forgotten the key before the next attempt."""
    for effect, requests in books.requests.items():
        done = [sent for sent in requests if sent.applied and effect[2] not in sent.refused_items]
        if len(done) > 1 and not (books.lost(effect) and books.world.conditions.key_ttl < FORGETFUL):
            yield f"{effect} took effect {len(done)} times: {[sent.number for sent in done]}"


def releases_nothing_that_is_sold(books: Books) -> Iterator[str]:
    """But what was given up before the confirm was sent, and was on its way for longer than that."""
    confirms = [sent for sent in books.world.rokt.sent if sent.operation == "confirm" and sent.applied]
    for sent in books.world.rokt.sent:
        if sent.operation == "release" and sent.processed_at is not None:
            for sold in confirms:
                late = (sold.processed_at or 0.0) > sent.processed_at
                if late or _taken(sold).isdisjoint(_named(sent)):
                    continue
                if sent.over_at is None or sold.sent_at < sent.over_at:
                    yield f"the release {sent.number} came to Rokt after the confirm {sold.number} of the same item"


def repeats_nothing_in_peace(books: Books) -> Iterator[str]:
    """Where nothing fails, members that come and go cost no call.

    Without a ledger, a cancel of several items that is handed over between its calls repeats those that were made.
    """
    several = {e for p in books.published.values() if p.topic == CANCELS and len(p.effects) > 1 for e in p.effects}
    if books.world.conditions.peaceful:
        for key, requests in by_key(books.world.rokt.sent).items():
            effects = effects_of(requests[0].operation, requests[0].body)
            if len(requests) > 1 and (WITH_LEDGER or several.isdisjoint(effects)):
                yield f"{key} was sent {len(requests)} times: {[sent.number for sent in requests]}"


def repeats_no_call_that_was_answered(books: Books) -> Iterator[str]:
    """But, when a redrive asks for it, what failed inside the 2xx: under another key."""
    for key, requests in books.calls.items():
        for earlier in requests:
            if earlier.heard is None or earlier.over_at is None or not 200 <= earlier.heard < 300:
                continue
            crashed = earlier.by.crashed_at
            if crashed is not None and crashed < earlier.over_at + SETTLING_SECONDS:
                continue
            later = [s.number for s in requests if s.sent_at > earlier.over_at and not _asks_for_the_rest(s, earlier)]
            if later:
                yield f"{key} was answered {earlier.heard} ({earlier.number}) and sent again: {later}"


def has_no_call_twice_under_way(books: Books) -> Iterator[str]:
    for key, requests in books.calls.items():
        for earlier, later in pairwise(requests):
            if earlier.by is not later.by and (earlier.over_at is None or later.sent_at < earlier.over_at):
                yield f"{key}: {earlier.by.name} and {later.by.name} had it under way at once"


def buries_nothing_that_was_done(books: Books) -> Iterator[str]:
    for position, letters in books.letters.items():
        effects = books.published[position].effects if position in books.published else ()
        resolved = position in books.published and books.may_be_resolved(books.published[position])
        lost = resolved or any(books.lost(effect) for effect in effects)
        forgotten = lost and books.world.conditions.key_ttl < FORGETFUL
        rejected = [letter.failed_at for letter in letters if letter.reason == "rejected"]
        done = [books.taken[effect] for effect in effects if effect in books.taken]
        if effects and rejected and not forgotten and len(done) == len(effects) and max(done) < min(rejected):
            yield f"{_at(position)} is a dead letter, and all of it was done"


CHECKS: tuple[Check, ...] = (
    Check("it comes to an end", comes_to_an_end),
    Check("the worker meets no defect", has_no_defect),
    Check("nothing is lost", loses_nothing),
    Check("poison is buried, and nothing else", buries_poison_and_nothing_else),
    Check("a dead letter is its record, byte for byte", copies_dead_letters_byte_for_byte),
    Check("each cart's order is kept", keeps_each_carts_order),
    Check("a cart's calls are made one at a time", calls_for_a_cart_one_at_a_time),
    Check("each call has one key, and no two have the same", has_one_key_for_each_call),
    Check("what is committed is settled", commits_what_is_settled_and_nothing_else),
    Check("outcomes are true", writes_true_outcomes),
    Check("nothing takes effect twice", has_no_effective_double),
    Check("nothing is released that is sold", releases_nothing_that_is_sold, needs_ledger=True),
    Check("in peace no call is repeated", repeats_nothing_in_peace),
    Check("a call that was answered 2xx is never made again", repeats_no_call_that_was_answered, needs_ledger=True),
    Check("no two workers have the same call under way", has_no_call_twice_under_way, needs_ledger=True),
    Check("what was done is not buried", buries_nothing_that_was_done, needs_ledger=True),
    Check("only what fails alone is given up", gives_up_only_poison),
    Check("what is exhausted was not done", says_truly_that_nothing_was_done),
    Check("in an outage there is one call in a while", knocks_once_in_a_while),
    Check("nothing is sent before Rokt's wait is over", waits_as_long_as_it_was_asked_to),
    Check("where all is rejected it stops", stops_when_all_is_rejected),
    Check("every redriven letter ends", redriven_letters_end),
    Check("what is done with is never begun again", begins_nothing_again_that_is_done_with),
    Check("a call is begun again for its last letter only", begins_again_for_the_last_letter_only),
    Check("a key that was rejected is never sent again", sends_no_key_again_that_was_rejected),
    Check("nothing is confirmed that was cancelled", confirms_nothing_that_was_cancelled),
)


def _named(sent: Sent) -> set[tuple[str, str]]:
    return {(sent.body["cartId"], item["cartItemId"]) for item in sent.body.get("items", ())}


def _taken(sent: Sent) -> set[tuple[str, str]]:
    return {(cart, item) for cart, item in _named(sent) if item not in sent.refused_items}


def _asks_for_the_rest(later: Sent, earlier: Sent) -> bool:
    """Whether it asks for nothing but what failed in an earlier request, and under another key."""
    asked = {item for _, _, item in effects_of(later.operation, later.body)}
    return later.key != earlier.key and asked <= earlier.refused_items


def _superseded(books: Books, publication: Publication) -> bool:
    known: Iterable[Effect] = (e for o in books.outcomes if o.status == "superseded" for e in o.effects)
    return WITH_LEDGER and {*publication.effects} <= {*known, *books.taken}


def _cause(books: Books, reason: str, effect: Effect) -> bool:
    match reason:
        case "rejected":
            return any(sent.heard is not None and 400 <= sent.heard < 500 for sent in books.requests[effect])
        case "item-rejected":
            return any(sent.heard == 200 and refused(sent, effect) for sent in books.requests[effect])
        case "exhausted" | "unknown-outcome":
            return True  # see `gives_up_only_poison`
    return False


def _at(position: Position) -> str:
    return "{}/{}@{}".format(*position)
