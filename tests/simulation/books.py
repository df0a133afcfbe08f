"""The books of one run, reckoned where effects are: at Rokt, and in the topics. The worker is asked nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any

from simulation.broker import Partition
from simulation.core import OUTCOMES, SUFFIX
from simulation.history import CANCELS, CHECKOUTS, NO_ITEM, SOURCES, Effect, Publication, effects_of
from simulation.redriver import Redrive
from simulation.rokt import Sent
from simulation.world import EPOCH, World
from worker.keys import again
from worker.record import Record

Position = tuple[str, int, int]
WHOLE = "*"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter; `index` is its place among all records that were written."""

    index: int
    record: Record
    headers: dict[str, str]

    @property
    def reason(self) -> str:
        return self.headers["dlq.reason"]

    @property
    def source(self) -> Position:
        told = self.headers
        return told["dlq.source.topic"], int(told["dlq.source.partition"]), int(told["dlq.source.offset"])

    @property
    def key(self) -> str:
        return self.headers["dlq.idempotency-key"]

    @property
    def redrives(self) -> int:
        return int(self.headers["dlq.redrives"])

    @property
    def failed_at(self) -> float:
        return _virtual(self.headers["dlq.failed-at"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """An outcome record, in terms of effects; `index` as above. `taken` are those that it says succeeded."""

    index: int
    key: str
    status: str
    source: Position
    effects: tuple[Effect, ...]
    taken: tuple[Effect, ...]
    settled_at: float


class Books:
    """What was published, asked of Rokt, done there, and written, of one world that has run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.published: dict[Position, Publication] = {
            (record.topic, record.partition, record.offset): publication for publication, record in world.published
        }
        self.records: dict[Position, Record] = {(r.topic, r.partition, r.offset): r for _, r in world.published}

    @cached_property
    def letters(self) -> dict[Position, list[Letter]]:
        """By the record that they are of."""
        found: dict[Position, list[Letter]] = defaultdict(list)
        topics = {topic + SUFFIX for topic in SOURCES}
        for index, record in enumerate(self.world.broker.written):
            if record.topic in topics:
                headers = {name: (text or b"").decode() for name, text in record.headers}
                letter = Letter(index, record, headers)
                found[letter.source].append(letter)
        return found

    @cached_property
    def outcomes(self) -> list[Outcome]:
        """In the order in which they were written."""
        written = enumerate(self.world.broker.written)
        return [_outcome(index, json.loads(r.value or b"")) for index, r in written if r.topic == OUTCOMES]

    @cached_property
    def requests(self) -> dict[Effect, list[Sent]]:
        """Every request by what it asked for, in the order in which they were sent."""
        found: dict[Effect, list[Sent]] = defaultdict(list)
        for sent in self.world.rokt.sent:
            for effect in effects_of(sent.operation, sent.body):
                found[effect].append(sent)
        return found

    @cached_property
    def base_of(self) -> dict[str, tuple[str, int]]:
        """For every key that was tried or is in an outcome: the call's own, and how often it had been begun again."""
        found = {key: (key, 0) for key in (*(s.key for s in self.world.rokt.tried), *(o.key for o in self.outcomes))}
        if self.redrives:
            for key in list(found):
                for times in range(1, len(self.redrives) + 1):
                    if (later := again(key, times)) in found:
                        found[later] = (key, times)
        return found

    @cached_property
    def firsts(self) -> dict[str, Outcome]:
        """The first outcome of each call, by its own key."""
        found: dict[str, Outcome] = {}
        for outcome in self.outcomes:
            found.setdefault(self.base_of[outcome.key][0], outcome)
        return found

    @cached_property
    def calls(self) -> dict[str, list[Sent]]:
        """Every request by its call's own key, in the order in which they were sent."""
        found: dict[str, list[Sent]] = defaultdict(list)
        for sent in self.world.rokt.sent:
            found[self.base_of[sent.key][0]].append(sent)
        return found

    @cached_property
    def redrives(self) -> list[Redrive]:
        """Every letter that a redriver had in hand."""
        return self.world.redriving.redrives if self.world.redriving is not None else []

    @cached_property
    def redriven(self) -> set[Position]:
        """The records of those letters."""
        return {redrive.source for redrive in self.redrives}

    @cached_property
    def taken(self) -> dict[Effect, float]:
        """When Rokt first did what was asked, in virtual seconds."""
        found: dict[Effect, float] = {}
        for effect, requests in self.requests.items():
            moments = [s.processed_at for s in requests if s.applied and effect[2] not in s.refused_items]
            if moments := [moment for moment in moments if moment is not None]:
                found[effect] = min(moments)
        return found

    def may_be_left_out(self, effect: Effect) -> bool:
        """Whether a call may leave this item out: a confirm what a cancel called off, a release what was paid for."""
        operation, scope, item = effect
        match operation:
            case "confirm":
                return not self._called_off[scope].isdisjoint((item, self._reserved.get(item, ""), WHOLE))
            case "release":
                return item in {e[2] for p in self.published.values() for e in p.effects if e[0] == "confirm"}
        return False

    def may_be_resolved(self, publication: Publication) -> bool:
        """Whether a ledger may know what a cancel that names no reservation means."""
        paid = (p for p in self.published.values() if p.topic == CHECKOUTS)
        return publication.topic == CANCELS and any(p.order == publication.order for p in paid)

    def lost(self, effect: Effect) -> bool:
        """Whether Rokt may have done it, in an attempt of which no worker had, or kept, the answer."""
        return any(
            s.applied and (s.heard is None or s.heard >= 500 or s.by.crashed_at is not None)
            for s in self.requests[effect]
        )

    @cached_property
    def _called_off(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for publication in self.published.values():
            if publication.topic == CANCELS and publication.order:
                items = json.loads(publication.value or b"")["items"]
                ids = {i.get("itemReservationId") or i.get("cartItemId") for i in items}
                found[publication.order] |= ids | {i.get("cartItemId") for i in items} or {WHOLE}
        return found

    @cached_property
    def _reserved(self) -> dict[str, str]:
        """The reservation of each cart item that was published with one."""
        events = [json.loads(p.value or b"") for p in self.published.values() if p.topic == CHECKOUTS and p.order]
        return {i["cartItemId"]: i.get("itemReservationId", "") for event in events for i in event["items"]}

    @cached_property
    def order_of(self) -> dict[str, str]:
        """The order that a reservation belongs to."""
        return {e[2]: p.order for p in self.published.values() for e in p.effects if e[0] == "cancel"}

    @cached_property
    def first(self) -> dict[Effect, Position]:
        """The first record that asks for it, in the order of offsets; all that do are in one partition."""
        return {
            e: position for position in sorted(self.published, reverse=True) for e in self.published[position].effects
        }

    def taken_for_done(self, effect: Effect) -> bool:
        """Whether Rokt refused it, nobody could write that down, and the 409 that followed said "done before".

        So it is with a refusal whose answer was lost: Rokt remembers the key of what it refused too, and the contract
        takes a 409 after an unknown outcome for a success.
        """
        duplicate = any(o.status == "duplicate" and effect in o.effects for o in self.outcomes)
        refusals = [sent for sent in self.requests[effect] if refused(sent, effect)]
        return duplicate and any(sent.heard != sent.status or sent.by.crashed_at is not None for sent in refusals)

    def settled_at(self, position: Position, *, anywhere: bool) -> int | None:
        """The place, among all written records, of the last one that tells what became of a record; None: none does.

        `anywhere`: outcomes of the same call count whichever record they came of.
        """
        publication = self.published[position]
        last = -1
        for effect in publication.effects:
            known = [index for source, index in self._outcomes_of[effect] if anywhere or source == position]
            if not known:
                if self.may_be_left_out(effect):
                    continue
                return None
            last = max(last, known[0])
        if publication.poison:
            letters = [letter.index for letter in self.letters[position] if letter.reason == publication.poison]
            if letters:
                return max(last, letters[0])
            return last if anywhere and self.may_be_resolved(publication) else None
        return last

    @cached_property
    def _outcomes_of(self) -> dict[Effect, list[tuple[Position, int]]]:
        """Of a call that was begun again only the first: a later one may name what was left out before."""
        found: dict[Effect, list[tuple[Position, int]]] = defaultdict(list)
        for outcome in self.firsts.values() if self.redrives else self.outcomes:
            for effect in outcome.effects:
                found[effect].append((outcome.source, outcome.index))
        return found

    def lanes(self) -> Iterator[tuple[str, list[Position]]]:
        """The records of one partition that belong to one cart or order, in order, for each of them."""
        found: dict[tuple[Partition, str], list[Position]] = defaultdict(list)
        for position in sorted(self.published):
            publication = self.published[position]
            for name in filter(None, (publication.cart, publication.order)):
                found[position[:2], name].append(position)
        for (_, name), positions in found.items():
            yield name, positions

    def at_rokt(self) -> dict[tuple[str, str], list[Sent]]:
        """The requests of one process about one cart or order, for each of them, in the order of their sending."""
        found: dict[tuple[str, str], list[Sent]] = defaultdict(list)
        for sent in self.world.rokt.sent:
            names = (sent.body.get("cartId"), sent.body.get("orderId"))
            cancelled = self.order_of.get(sent.body.get("itemReservationId", ""))
            for name in filter(None, (*names, cancelled)):
                found[sent.by.name, name].append(sent)
        return found


def refused(sent: Sent, effect: Effect) -> bool:
    """Whether Rokt judged this request, and said no to that part of it."""
    return sent.status is not None and (sent.status >= 400 or effect[2] in sent.refused_items)


def by_key(requests: Iterable[Sent]) -> dict[str, list[Sent]]:
    """Requests by their idempotency key."""
    found: dict[str, list[Sent]] = defaultdict(list)
    for sent in requests:
        found[sent.key].append(sent)
    return found


def _outcome(index: int, told: dict[str, Any]) -> Outcome:
    operation, items = told["operation"], told["items"]
    if operation == "cancel":
        effects = [("cancel", NO_ITEM, item["itemReservationId"]) for item in items]
    else:
        scope = told["orderId"] if operation == "confirm" else told["cartId"]
        effects = [(operation, scope, item["cartItemId"]) for item in items] or [(operation, scope, NO_ITEM)]
    taken = tuple(effect for effect, item in zip(effects, items, strict=False) if item["success"])
    source = (told["sourceTopic"], told["sourcePartition"], told["sourceOffset"])
    at = _virtual(told["settledAt"])
    return Outcome(index, told["idempotencyKey"], told["status"], source, tuple(chain(effects)), taken, at)


def _virtual(moment: str) -> float:
    """Virtual seconds, from a text that is cut to milliseconds."""
    return datetime.fromisoformat(moment).timestamp() - EPOCH
