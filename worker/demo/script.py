"""From carts to records: bytes, headers, when each is published, and what must become of it. Pure.

Every race in it has one end, whatever the worker's pace: a record that must come second waits for its `Cue`, and where
either may come first both ways end alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any, Final, Literal

from worker.demo.fates import Ending, Fate, Kind, State
from worker.demo.story import Cart, Item, Role
from worker.demo.wording import GARBLED, ILL_FORMED, Wording, as_json

PAID_TOPIC: Final = "checkout-completed"
CANCELLED_TOPIC: Final = "order-cancelled"
ABANDONED_TOPIC: Final = "cart-abandoned"
SOURCES: Final = (PAID_TOPIC, CANCELLED_TOPIC, ABANDONED_TOPIC)

CANCELLED_SHARE: Final = 0.16
WHOLE_SHARE: Final = 0.6
REPEATED_SHARE: Final = 0.05
REPUBLISHED_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Cue:
    """What a record waits for: a call of record `number` was seen at Rokt, or all its outcomes and letters are there.

    From its first call on the worker's ledger knows a record, whatever happens to the worker.
    """

    number: int
    moment: Literal["begun", "settled"] = "settled"


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish, `due` seconds from the beginning, and not before its cue, if it has one."""

    number: int
    topic: str
    key: str
    value: bytes | None
    due: float
    fate: Fate
    trace_id: str
    span_id: str
    after: Cue | None = None

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """As a shop with tracing of its own would send them (W3C Trace Context)."""
        return [("traceparent", f"00-{self.trace_id}-{self.span_id}-01".encode()), ("source", b"shop")]


@dataclass(frozen=True, slots=True)
class Script:
    """All records by number, and how Rokt must end: reservations by id, and the orders it must know."""

    records: tuple[Record, ...]
    reservations: Mapping[str, State]
    orders: frozenset[str]


def compose(
    carts: tuple[Cart, ...], reserved: Mapping[tuple[str, str], str], begin: datetime, random: Random
) -> Script:
    """The script of these carts. `reserved` gives the reservation of (cart id, item id)."""
    writer = _Writer(Wording(reserved, begin, random), random)
    for cart in carts:
        writer.write(cart)
    return Script(tuple(writer.records), writer.reservations, frozenset(writer.orders))


@dataclass
class _Writer:
    words: Wording
    random: Random
    records: list[Record] = field(default_factory=list)
    reservations: dict[str, State] = field(default_factory=dict)
    orders: set[str] = field(default_factory=set)

    def write(self, cart: Cart) -> None:
        self._end(cart, (item for item in cart.items if item.reserved), State.HELD)
        match cart.role:
            case Role.PAID | Role.PLAIN:
                paid = self._paid(cart)
                if self.random.random() < CANCELLED_SHARE or (cart.items and self._first(Kind.CANCELLED)):
                    self._cancelled(cart, paid)
            case Role.ITEM_FAILS:
                self._item_fails(cart)
            case Role.ABANDONED:
                self._abandoned(cart, cart.items, Fate(Kind.ABANDONED, "done"))
            case Role.WHOLE | Role.SOLD | Role.PARTLY_SOLD | Role.EARLY | Role.LATE | Role.TOO_LATE:
                self._race(cart)
            case _:
                self._poison(cart)

    def _race(self, cart: Cart) -> None:
        match cart.role:
            case Role.WHOLE:
                paid = self._paid(cart)
                self._cancel(cart, (), cart.items, Kind.WHOLE, late=self._late(), after=Cue(paid.number))
            case Role.SOLD:
                paid = self._paid(cart)
                self._abandoned(cart, (), Fate(Kind.SOLD, "superseded"), Cue(paid.number, "begun"))
            case Role.PARTLY_SOLD:
                paid = self._paid(cart, cart.items[:1])
                self._abandoned(cart, cart.items[1:], Fate(Kind.PARTLY_SOLD, "done"), Cue(paid.number, "begun"))
            case Role.EARLY:
                named = self.random.choice((cart.items, cart.items[:1], ()))
                self._paid(cart, late=self.random.uniform(0.2, 1.2))
                self._cancel(cart, named, named or cart.items, Kind.EARLY)
            case Role.LATE:
                nothing = Fate(Kind.NOTHING, "buried", 0, "nothing-to-cancel")
                cancelled = self._add(CANCELLED_TOPIC, cart, self.words.cancel(cart, ()), nothing)
                fate = Fate(Kind.LATE, "superseded")
                self._add(PAID_TOPIC, cart, self.words.checkout(cart, cart.items), fate, after=Cue(cancelled.number))
            case Role.TOO_LATE:
                released = self._abandoned(cart, cart.items, Fate(Kind.ABANDONED, "done"))
                fate = Fate(Kind.TOO_LATE, "failed")
                self._add(PAID_TOPIC, cart, self.words.checkout(cart, cart.items), fate, after=Cue(released.number))
                self.orders.add(cart.order_id)

    def _poison(self, cart: Cart) -> None:
        checkout = self.words.checkout(cart, cart.items)
        match cart.role:
            case Role.EMPTY:
                self._add(ABANDONED_TOPIC, cart, self.words.abandoned(cart), Fate(Kind.UNRESERVED, "skipped", 0))
            case Role.NO_SESSION:
                del checkout["roktSessionId"]
                self._add(PAID_TOPIC, cart, checkout, Fate(Kind.REFUSED, "refused"))
            case Role.NEVER_PAID:
                fate = Fate(Kind.REFUSED, "refused", len(cart.items))
                self._add(CANCELLED_TOPIC, cart, self.words.cancel(cart, cart.items), fate)
            case Role.GARBLED:
                fate = Fate(Kind.GARBLED, "buried", 0, "undecodable")
                self._add(PAID_TOPIC, cart, self.random.choice(GARBLED), fate)
            case Role.ILL_FORMED:
                fate = Fate(Kind.ILL_FORMED, "buried", 0, "invalid")
                self._add(PAID_TOPIC, cart, checkout | self.random.choice(ILL_FORMED), fate)
            case Role.TOMBSTONE:
                self._add(PAID_TOPIC, cart, None, Fate(Kind.TOMBSTONE, "skipped", 0))

    def _paid(self, cart: Cart, items: Sequence[Item] | None = None, *, late: float = 0.0) -> Record:
        """These of the items, or all of them."""
        items = cart.items if items is None else items
        event = self.words.checkout(cart, items)
        fate = Fate(Kind.PAID if cart.items else Kind.PLAIN, "done")
        paid = self._add(PAID_TOPIC, cart, event, fate, late=late)
        self.orders.add(cart.order_id)
        self._end(cart, items, State.CONFIRMED)
        self._publish_again(paid, event)
        return paid

    def _item_fails(self, cart: Cart) -> None:
        sold = [item for item in cart.items if not item.fails]
        ending: Ending = "partly" if sold else "failed"
        self._add(PAID_TOPIC, cart, self.words.checkout(cart, cart.items), Fate(Kind.ITEM_FAILS, ending))
        self.orders.add(cart.order_id)
        self._end(cart, sold, State.CONFIRMED)

    def _cancelled(self, cart: Cart, paid: Record) -> None:
        """A shop cancels what it has seen confirmed."""
        after, late = Cue(paid.number), self._late()
        if cart.items:
            items = cart.items if self.random.random() < WHOLE_SHARE else cart.items[:1]
            self._cancel(cart, items, items, Kind.CANCELLED, late=late, after=after)
        else:
            nothing = Fate(Kind.NOTHING, "buried", 0, "nothing-to-cancel")
            self._add(CANCELLED_TOPIC, cart, self.words.cancel(cart, ()), nothing, late=late, after=after)

    def _cancel(
        self,
        cart: Cart,
        named: Sequence[Item],
        meant: Sequence[Item],
        kind: Kind,
        *,
        late: float = 0.0,
        after: Cue | None = None,
    ) -> None:
        event = self.words.cancel(cart, named)
        cancelled = self._add(CANCELLED_TOPIC, cart, event, Fate(kind, "done", len(meant)), late=late, after=after)
        self._end(cart, meant, State.CANCELLED)
        self._publish_again(cancelled, event)

    def _abandoned(self, cart: Cart, released: Sequence[Item], fate: Fate, after: Cue | None = None) -> Record:
        event = self.words.abandoned(cart)
        abandoned = self._add(ABANDONED_TOPIC, cart, event, fate, after=after)
        self._end(cart, released, State.RELEASED)
        self._publish_again(abandoned, event)
        return abandoned

    def _publish_again(self, first: Record, event: Mapping[str, Any]) -> None:
        """As it is, after a time-out at the producer; or as a new event about the same thing.

        Of two cancels that wait for their confirm either may be first, so the second waits for the first one's end.
        """
        drawn = self.random.random()
        if drawn < REPEATED_SHARE or self._first(Kind.REPEATED):
            kind, value = Kind.REPEATED, first.value
        elif drawn < REPEATED_SHARE + REPUBLISHED_SHARE or self._first(Kind.REPUBLISHED):
            kind, value = Kind.REPUBLISHED, as_json(self.words.again(event))
        else:
            return
        due = first.due + self.random.uniform(0.05, 3.0)
        waits = first.after is not None or first.topic == CANCELLED_TOPIC
        after = Cue(first.number) if waits else None
        fate = Fate(kind, "before", 0)
        again = replace(first, number=len(self.records), value=value, due=due, fate=fate, after=after)
        self.records.append(replace(again, trace_id=self.words.hex(128), span_id=self.words.hex(64)))

    def _first(self, kind: Kind) -> bool:
        return all(record.fate.kind is not kind for record in self.records)

    def _late(self) -> float:
        return self.random.uniform(0.3, 2.0)

    def _end(self, cart: Cart, items: Iterable[Item], state: State) -> None:
        self.reservations |= {self.words.reservation(cart, item): state for item in items}

    def _add(
        self,
        topic: str,
        cart: Cart,
        event: Mapping[str, Any] | bytes | None,
        fate: Fate,
        *,
        late: float = 0.0,
        after: Cue | None = None,
    ) -> Record:
        value = event if event is None or isinstance(event, bytes) else as_json(event)
        due, trace_id, span_id = cart.due + late, self.words.hex(128), self.words.hex(64)
        record = Record(len(self.records), topic, cart.id, value, due, fate, trace_id, span_id, after)
        self.records.append(record)
        return record
