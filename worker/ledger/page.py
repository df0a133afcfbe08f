"""The part of the ledger that a group of requests touches, in memory: read, worked on by the rules, written back. Pure.

A store reads a page in a transaction, has each request `worked`, and writes what is `changed`; so every store keeps the
same rules, and a group of any size costs one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from worker import carts
from worker.carts import Begun, CalledOff, Names, Order, Owners, Reservation, State, Supersede, WaitFor
from worker.keys import Operation
from worker.ledger import redoing
from worker.ledger.entries import (
    Answer,
    Ask,
    CallOff,
    Disputed,
    Done,
    Entry,
    GiveBack,
    Published,
    Request,
    Send,
    Settle,
    Wait,
)
from worker.ledger.notes import DAY_MS, Notes
from worker.ledger.redoing import ids_of
from worker.mapping import CallItem
from worker.rokt.answers import ItemAnswer
from worker.verdict import Settled, not_done

Reply = Answer | CalledOff | Entry | None


@dataclass(slots=True)
class Page:
    """What is known at `now_ms`; `live` are the owners whose lease has not run out. `noted` is written beside it."""

    now_ms: int
    live: Owners
    entries: dict[str, Entry]
    reservations: dict[str, Reservation]
    orders: dict[str, Order]
    changed_entries: dict[str, Entry] = field(default_factory=dict)
    changed_reservations: dict[str, Reservation] = field(default_factory=dict)
    changed_orders: dict[str, Order] = field(default_factory=dict)
    noted: Notes = field(default_factory=Notes)

    def work(self, request: Request) -> Reply:
        """One request, by the rules; those after it see what it did."""
        match request:
            case Ask():
                return self._ask(request)
            case CallOff():
                return self._call_off(request)
            case Settle(asked, settled, redo):
                return self._settle(asked, settled, redo)
            case GiveBack():
                self._give_back(request)
            case Published(key, settled_at_ms):
                self._published(key, settled_at_ms)
        return None

    def _ask(self, ask: Ask) -> Answer:
        call, entry = ask.call, self.entries.get(ask.call.key)
        if entry is not None and entry.status is not None:
            if not (entry.published and redoing.asked_again(ask, entry)):
                return self._settled_before(ask, entry)
            entry = redoing.reopened(entry)
        again = entry is not None and (entry.owner, entry.token) == (ask.owner, ask.token)
        if entry is not None and not again:
            if entry.owner in self.live:
                return Wait("another worker, which has the same call under way")
            if entry.fingerprint != call.fingerprint and (entry.maybe_sent or entry.owner is not None):
                return Disputed(entry)
        left = replace(call, items=redoing.left(call.items, entry))
        match carts.decide(left, self.orders.get(call.order_id or ""), self.reservations, self.live):
            case WaitFor(what):
                return Wait(what)
            case Supersede(why):
                untouched = tuple(not_done(item) for item in left.items)
                attempts, redo = (entry.attempts, entry.redo) if entry is not None else (0, 0)
                if entry is not None:
                    self._keep(replace(entry, owner=ask.owner, token=ask.token))
                return Done(self._settle(ask, Settled("superseded", untouched, None, attempts), redo), why)
            case carts.SendItems(items):
                begun = self._begin(ask, entry, items, again=again)
                before = None if entry is None or again else entry.origin
                return Send(items, begun.attempts, begun.maybe_sent, begun.redo, before)

    def _settled_before(self, ask: Ask, entry: Entry) -> Answer:
        elsewhere = entry.owner != ask.owner and entry.owner in self.live
        if not entry.published and elsewhere:
            return Wait("another worker, which is writing the outcome of the same call")
        return Done(entry, other_body=entry.fingerprint != ask.call.fingerprint)

    def _begin(self, ask: Ask, entry: Entry | None, items: tuple[CallItem, ...], *, again: bool) -> Entry:
        attempts, maybe_sent = (entry.attempts, entry.maybe_sent) if entry is not None else (0, False)
        if entry is not None and entry.owner is not None and not again:  # its owner is gone: it may have been sent
            attempts, maybe_sent = attempts + 1, True
        begun = _new(ask, self.now_ms, attempts, maybe_sent=maybe_sent)
        if entry is not None:
            begun = replace(begun, redo=entry.redo, items=entry.items)
        self._keep(begun)
        self._note(ask, begun)
        for item in items:
            if item.item_reservation_id:
                before = self._reservation(item.item_reservation_id)
                pending = replace(before, pending=ask.call.operation, owner=ask.owner, key=begun.key)
                self._keep_reservation(pending)
        if ask.call.operation == "confirm" and ask.call.order_id:
            order = self._order(ask.call.order_id)
            cut_short = order.under_way.get(begun.key)
            sent = Begun(ask.owner, cut_short.items if cut_short is not None else items)
            self._keep_order(replace(order, under_way={**order.under_way, begun.key: sent}))
        return begun

    def _settle(self, asked: Ask, settled: Settled, redo: int) -> Entry:
        known = self.entries.get(asked.call.key)
        entry = known or replace(_new(asked, self.now_ms), redo=redo)
        if entry.status is not None or redoing.too_late(asked, settled, redo, entry):
            return entry
        if known is None or known.begun_at_ms < self.now_ms - DAY_MS:  # or its note would be gone long before it is
            self._note(asked, entry)
        given_back = entry.owner is None and entry.token == asked.token
        unknown = settled.death is not None and settled.death.reason == "unknown-outcome"
        entry = replace(
            entry,
            owner=None if given_back else asked.owner,
            token=asked.token,
            origin=asked.origin,
            fingerprint=asked.call.fingerprint,
            attempts=settled.attempts,
            maybe_sent=unknown,
            status=redoing.altogether(settled.status, entry.items),
            http_status=settled.http_status,
            items=entry.items + settled.items,
            death=settled.death,
            settled_at_ms=self.now_ms,
        )
        self._keep(entry)
        if answered := _answered(asked.call.items, entry.items):
            self.noted.add(entry.key, answered)
        # A cancel that was given up unsent stands where a confirm of unknown outcome may have stood before it.
        silent = unknown or entry.status == "superseded" or (entry.operation == "cancel" and entry.status == "dead")
        if not silent:
            self._acknowledge(entry, settled.items)
        # What is left was begun and never answered for: a call that was cut short, and then not made again.
        self._orphan(asked.call.items, entry.key)
        if entry.operation == "confirm" and entry.order_id:
            self._note_confirmed(self._order(entry.order_id), entry, unknown=unknown)
        return entry

    def _acknowledge(self, entry: Entry, answered: Iterable[ItemAnswer]) -> None:
        for item in answered:
            if item.item_reservation_id:
                before = self._reservation(item.item_reservation_id)
                state = _acknowledged(entry.operation, before.state, success=item.success)
                if before.key == entry.key:
                    before = replace(before, pending=None, owner=None, key="")
                self._keep_reservation(replace(before, state=state))

    def _note_confirmed(self, order: Order, entry: Entry, *, unknown: bool) -> None:
        """Counts the confirm as settled; its items that may be sold, known to be or not, stay to be cancelled."""
        others = {key: begun for key, begun in order.under_way.items() if key != entry.key}
        begun = order.under_way.get(entry.key, Begun(None, ()))
        items = order.items
        if unknown:
            others[entry.key] = replace(begun, owner=None)
        else:
            answered = Names(() if entry.status == "superseded" else map(ids_of, entry.items))
            confirmed = [ids_of(item) for item in entry.items if item.success]
            cut_short = [item for item in begun.items if item not in answered]
            items = tuple(dict.fromkeys((*items, *confirmed, *cut_short)))
        self._keep_order(replace(order, settled=order.settled + 1, under_way=others, items=items))

    def _give_back(self, request: GiveBack) -> None:
        asked, call = request.asked, request.asked.call
        entry = self.entries.get(call.key)
        if entry is None or (entry.owner, entry.token) != (asked.owner, asked.token):
            return
        if entry.status is not None:
            self._keep(replace(entry, owner=None))  # whoever asks next writes its outcome
            return
        self._keep(replace(entry, owner=None, attempts=request.attempts, maybe_sent=request.maybe_sent))
        # Sent or not, its event comes again: what has to give way to it goes on giving way.
        self._orphan(call.items, call.key)
        order = self.orders.get(call.order_id or "")
        if order is not None and (begun := order.under_way.get(call.key)) is not None:
            under_way = {**order.under_way, call.key: replace(begun, owner=None)}
            self._keep_order(replace(order, under_way=under_way))

    def _call_off(self, request: CallOff) -> CalledOff | Wait:
        order = self._order(request.order_id)
        answer, noted = carts.call_off(order, request.items, self.reservations, self.live, waited=request.waited)
        if noted != order:
            self._keep_order(noted)
        return Wait(answer.what) if isinstance(answer, WaitFor) else answer

    def _published(self, key: str, settled_at_ms: int | None) -> None:
        entry = self.entries.get(key)
        if entry is None or settled_at_ms not in (None, entry.settled_at_ms):
            return
        if entry.status is not None and not entry.published:
            self._keep(replace(entry, published=True, death=None))

    def _reservation(self, id_: str) -> Reservation:
        return self.reservations.get(id_) or Reservation(id_)

    def _order(self, id_: str) -> Order:
        return self.orders.get(id_) or Order(id_)

    def _orphan(self, items: Iterable[CallItem], key: str) -> None:
        """Still pending, but nobody's: what became of it, or will, is not known."""
        for item in items:
            reservation = self.reservations.get(item.item_reservation_id or "")
            if reservation is not None and reservation.pending is not None and reservation.key == key:
                self._keep_reservation(replace(reservation, owner=None))

    def _keep_reservation(self, reservation: Reservation) -> None:
        self.reservations[reservation.id] = self.changed_reservations[reservation.id] = reservation

    def _note(self, ask: Ask, entry: Entry) -> None:
        call, origin = ask.call, ask.origin
        others = [item.item_reservation_id for item in call.items]
        if entry.redo:
            others.append(entry.sent_key)
        self.noted.add(call.key, (call.cart_id, call.order_id, origin.event_id, origin.trace_id, *others))

    def _keep(self, entry: Entry) -> None:
        self.entries[entry.key] = self.changed_entries[entry.key] = entry

    def _keep_order(self, order: Order) -> None:
        self.orders[order.id] = self.changed_orders[order.id] = order


def _new(ask: Ask, now_ms: int, attempts: int = 0, *, maybe_sent: bool = False) -> Entry:
    call = ask.call
    return Entry(
        key=call.key,
        operation=call.operation,
        cart_id=call.cart_id,
        order_id=call.order_id,
        fingerprint=call.fingerprint,
        origin=ask.origin,
        owner=ask.owner,
        token=ask.token,
        begun_at_ms=now_ms,
        maybe_sent=maybe_sent,
        attempts=attempts,
    )


def _answered(asked: Iterable[CallItem], answered: Iterable[ItemAnswer]) -> list[str]:
    """Reservations that only Rokt's answer names."""
    named = {item.item_reservation_id for item in asked}
    return [id_ for item in answered if (id_ := item.item_reservation_id) and id_ not in named]


def _acknowledged(operation: Operation, before: State, *, success: bool) -> State:
    match operation:
        case _ if before == "cancelled":
            return before
        case "confirm" if success:
            return "confirmed"
        case "confirm":
            return before or "refused"
        case "cancel" if success:
            return "cancelled"
        case "release" if success and before != "confirmed":
            return "released"
        case _:
            return before
