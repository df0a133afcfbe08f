"""What has to be true of every run when Rokt fails, throttles, refuses or rejects: checks, as in checks.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from simulation.books import Books, Letter
from simulation.core import MAX_RETRY_AFTER_SECONDS
from simulation.failing import GIVEN_UP, NO_DIFFERENCE, Failing, end_of
from simulation.processes import Process
from simulation.redriver import REJECTIONS
from simulation.rokt import Sent


def gives_up_only_poison(books: Books) -> Iterator[str]:
    """A call is given up once it has failed `max_attempts` times while others were taken; an outage is no poison.

    Where there are no others any more, many of them must have been taken in its time, and none have failed.
    """
    failing = Failing(books)
    for letters in books.letters.values():
        for letter in letters:
            if (
                letter.reason in GIVEN_UP
                and not _is_rejection(letter)
                and letter.headers["dlq.idempotency-key"] in failing.by_key
            ):
                count = failing.witnessed(letter)
                if count < books.world.conditions.max_attempts and not failing.alone_in_the_end(letter):
                    said = letter.headers["dlq.message"]
                    yield f"{said}: {letter.source} failed {count} times while others were taken"


def says_truly_that_nothing_was_done(books: Books) -> Iterator[str]:
    failing = Failing(books)
    for letters in books.letters.values():
        for letter in letters:
            sents = failing.by_key[letter.headers["dlq.idempotency-key"]]
            if letter.reason == "exhausted" and any(s.applied and s.sent_at < letter.failed_at for s in sents):
                yield f"{letter.source} is exhausted, and was done: {[sent.number for sent in sents]}"


def knocks_once_in_a_while(books: Books) -> Iterator[str]:
    """In an outage a process makes one call at a time at intervals, for all endpoints that are out together."""
    interval = books.world.conditions.probe
    for process, outages in Failing(books).outages():
        for outage in outages:
            most = (outage.until - outage.since) / interval + 1.0
            if len(outage.tried) > most:
                seconds = outage.until - outage.since
                yield f"{process.name}: {len(outage.tried)} calls in {seconds:.3f} s to {outage.operation} that was out"


def waits_as_long_as_it_was_asked_to(books: Books) -> Iterator[str]:
    held: dict[Process, list[tuple[float, float]]] = defaultdict(list)
    for sent in books.world.rokt.tried:
        if sent.heard is not None and sent.heard >= 400 and sent.retry_after and sent.over_at is not None:
            wait = min(float(sent.retry_after), MAX_RETRY_AFTER_SECONDS)
            held[sent.by].append((sent.over_at + NO_DIFFERENCE, sent.over_at + wait - NO_DIFFERENCE))
    for sent in books.world.rokt.tried:
        for since, until in held[sent.by]:
            if since < sent.sent_at < until:
                yield f"{sent.by.name}: {sent.number} was sent at {sent.sent_at:.3f} s, and not after {until:.3f} s"


def stops_when_all_is_rejected(books: Books) -> Iterator[str]:
    """Of so many carts in a row, each of another one, and no more, a process lets calls be rejected."""
    failing = Failing(books)
    rejected = {
        letter.headers["dlq.idempotency-key"]
        for letters in books.letters.values()
        for letter in letters
        if letter.reason == "rejected" or _is_rejection(letter)
    }
    last = {key: [s for s in failing.by_key[key] if s.heard in range(400, 500)][-1:] for key in rejected}
    settling = {id(sent) for sents in last.values() for sent in sents}
    redrivers = {redrive.by for redrive in books.redrives}
    for process, sents in _ended(books).items():
        limit = REJECTIONS if process in redrivers else books.world.conditions.rejections
        carts: set[str] = set()
        for sent in sents:
            if id(sent) in settling:
                carts.add(failing.cart(sent))
            elif failing.came(sent) == "taken":
                carts.clear()
            if len(carts) > limit:
                yield f"{process.name}: calls of {len(carts)} carts in a row were rejected, the last one {sent.number}"
                break


def _is_rejection(letter: Letter) -> bool:
    """Whether an attempt before may have been done, and then the call was rejected."""
    return (
        letter.headers["dlq.http.status"] in ("401", "403", "404", "410", "413") and letter.reason == "unknown-outcome"
    )


def _ended(books: Books) -> dict[Process, list[Sent]]:
    found: dict[Process, list[Sent]] = defaultdict(list)
    for sent in sorted(books.world.rokt.tried, key=end_of):
        found[sent.by].append(sent)
    return found
