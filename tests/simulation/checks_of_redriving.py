"""What has to be true when dead letters are redriven: checks, as in checks.py."""

from __future__ import annotations

from collections.abc import Iterator

from simulation.books import Books
from simulation.history import CANCELS, effects_of
from simulation.redriver import Redrive
from worker.sandbox.reservations import reservation_of

REJECTIONS = ("rejected", "item-rejected")
DONE_WITH = ("succeeded", "duplicate", "superseded")
CUT = 0.002
"""Moments in records are cut to milliseconds."""


def redriven_letters_end(books: Books) -> Iterator[str]:
    """In an outcome, or in a new letter that counts one redrive more; also one whose redriver came to grief, later."""
    if books.world.redriving is None:
        return
    if not books.world.redriving.ended:
        yield "a redriver did not end"
    ended = {id(redrive.letter) for redrive in books.redrives if redrive.fate is not None}
    for redrive in books.redrives:
        if id(redrive.letter) not in ended:
            yield f"{redrive.source}: its letter was taken and never settled"
        elif redrive.fate is not None and not (_written_again(books, redrive) or _has_outcomes(books, redrive)):
            yield f"{redrive.source}: its letter is {redrive.fate}, and there is neither a new one nor an outcome"


def begins_nothing_again_that_is_done_with(books: Books) -> Iterator[str]:
    """No call is sent once it is written that it succeeded or was superseded; no item once it is said to be taken."""
    for outcome in books.outcomes:
        base, _ = books.base_of[outcome.key]
        for sent in books.calls.get(base, ()):
            if sent.sent_at <= outcome.settled_at + CUT:
                continue
            if outcome.status in DONE_WITH:
                yield f"{base} was {outcome.status} at {outcome.settled_at:.3f} s, and {sent.number} came after that"
            if again := {*effects_of(sent.operation, sent.body)}.intersection(outcome.taken):
                yield f"{base}: {sorted(again)} had succeeded, and {sent.number} asks for it again"


def begins_again_for_the_last_letter_only(books: Books) -> Iterator[str]:
    """A later key is sent only for the letter of a rejection of the key before it, or for a letter that names none."""
    reasons = {(letter.key, letter.reason) for letters in books.letters.values() for letter in letters}
    earlier = {again: key for key, (base, times) in books.base_of.items() for again in _next(books, base, times)}
    for key, before in earlier.items():
        first = next((sent for sent in books.world.rokt.tried if sent.key == key), None)
        if first is None:
            continue
        if not any((before, reason) in reasons for reason in REJECTIONS):
            yield f"{key} was sent ({first.number}), and {before} was not rejected"
        asked = [redrive for redrive in books.redrives if redrive.begun_at <= first.sent_at]
        if not any(redrive.key in ("", before) for redrive in asked):
            yield f"{key} was sent ({first.number}), and nobody redrove a letter of {before}"


def sends_no_key_again_that_was_rejected(books: Books) -> Iterator[str]:
    for redrive in books.redrives:
        if redrive.reason in REJECTIONS:
            later = [s.number for s in books.world.rokt.sent if s.key == redrive.key and s.sent_at > redrive.begun_at]
            if later:
                yield f"{redrive.key} was rejected, redriven by {redrive.by.name}, and sent again: {later}"


def confirms_nothing_that_was_cancelled(books: Books) -> Iterator[str]:
    cancelled: dict[str, float] = {}
    for sent in books.world.rokt.sent:
        if sent.operation == "cancel":
            cancelled.setdefault(sent.body["itemReservationId"], sent.sent_at)
    for sent in books.world.rokt.sent:
        if sent.operation == "confirm":
            for item in sent.body.get("items", ()):
                named = item.get("itemReservationId") or reservation_of(sent.body["cartId"], item["cartItemId"])
                if cancelled.get(named, sent.sent_at) < sent.sent_at:
                    yield f"{sent.number} confirms {named}, which was cancelled at {cancelled[named]:.3f} s"


def _next(books: Books, base: str, times: int) -> list[str]:
    return [key for key, known in books.base_of.items() if known == (base, times + 1)]


def _written_again(books: Books, redrive: Redrive) -> bool:
    return any(
        letter.index >= redrive.written and letter.redrives == redrive.redrives + 1
        for letter in books.letters[redrive.source]
    )


def _has_outcomes(books: Books, redrive: Redrive) -> bool:
    publication = books.published[redrive.source]
    known = {effect for outcome in books.outcomes for effect in outcome.effects}
    if not publication.effects:
        return publication.topic == CANCELS and books.may_be_resolved(publication)
    return all(effect in known or books.may_be_left_out(effect) for effect in publication.effects)
