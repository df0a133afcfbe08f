"""The rules that make the three topics agree: what is known of a cart, and what may therefore be sent. Pure.

Confirm, cancel and release of one item come from topics that have no order among them. Whoever comes first, Rokt must
end in the same state, so each call is weighed against what was acknowledged and what is under way (contract, section 3,
rules 3 to 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from worker.keys import Operation
from worker.mapping import Call, CallItem

State = Literal["", "confirmed", "refused", "cancelled", "released"]
Owners = frozenset[str]


class Reservation(Struct, frozen=True):
    """One reservation: what Rokt last acknowledged of it, and the call that was begun and not settled, if there is one.

    `owner` is the worker that began it; None when that one gave it back. `key` is the last call about it.
    """

    id: str
    state: State = ""
    pending: Operation | None = None
    owner: str | None = None
    key: str = ""


class Begun(Struct, frozen=True):
    """A confirm that was begun and is not settled: by whom (None: given back), and the items that may be at Rokt."""

    owner: str | None
    items: tuple[CallItem, ...]


class Order(Struct, frozen=True):
    """One order: what was confirmed for it, and what its cancels called off.

    `settled` counts its confirms that are settled; `under_way` are those that are not, and those whose outcome nobody
    will know (owner None), by key. `items` were confirmed, or may have been by
    a call that was cut short. `called_off` are the items as its cancels named them; `whole`: everything, also what is
    yet to come.
    """

    id: str
    settled: int = 0
    under_way: Mapping[str, Begun] = field(default_factory=dict)
    items: tuple[CallItem, ...] = ()
    whole: bool = False
    called_off: frozenset[CallItem] = frozenset()


class SendItems(Struct, frozen=True):
    """The call may be made, about these items."""

    items: tuple[CallItem, ...]


class Supersede(Struct, frozen=True):
    """The call must not be made any more, and that is final."""

    why: str


class WaitFor(Struct, frozen=True):
    """Nothing can be said yet."""

    what: str


class CalledOff(Struct, frozen=True):
    """What a cancel asks for: these items, each with its reservation; of the `unresolved` none is known."""

    items: tuple[CallItem, ...]
    unresolved: tuple[CallItem, ...] = ()


Decision = SendItems | Supersede | WaitFor


def decide(call: Call, order: Order | None, reservations: Mapping[str, Reservation], live: Owners) -> Decision:
    """Whether a call may be made. `reservations` are those it names, as far as known; `live` owners still work."""
    known = [_Known(call.key, reservations.get(item.item_reservation_id or ""), live) for item in call.items]
    match call.operation:
        case "confirm":
            return _confirm(call, order or Order(""), known)
        case "release":
            return _release(call, known)
        case "cancel":
            return _cancel(call, known)


def call_off(
    order: Order, items: tuple[CallItem, ...], known: Mapping[str, Reservation], live: Owners, *, waited: bool
) -> tuple[CalledOff | WaitFor, Order]:
    """What a cancel of these items (none: of the whole order) asks for, and the order with its intent noted.

    `waited`: the confirm has had its time to come. One that a live worker has under way is waited for all the same: it
    will settle. One that was cut short may have reached Rokt, so its items count as confirmed here.
    """
    if any(begun.owner in live for begun in order.under_way.values()):
        return WaitFor("its order's confirm, which is under way"), order
    noted = order.whole or (bool(items) and order.called_off.issuperset(items))
    if not (noted or waited or _heard(order, items, known)):
        return WaitFor("its order's confirm"), order
    confirmed = tuple(dict.fromkeys((*order.items, *(item for b in order.under_way.values() for item in b.items))))
    called_off = CalledOff(*_resolved(items or confirmed, confirmed))
    return called_off, replace(order, whole=order.whole or not items, called_off=order.called_off.union(items))


def _confirm(call: Call, order: Order, known: Iterable[_Known]) -> Decision:
    if order.whole:
        return Supersede("its order is cancelled")
    called_off = Names(order.called_off)
    before = frozenset(order.under_way[call.key].items) if call.key in order.under_way else None
    kept: list[CallItem] = []
    for item, reservation in zip(call.items, known, strict=True):
        if item in called_off or reservation.cancelled or (before is not None and item not in before):
            continue
        if reservation.busy and reservation.other != "confirm":
            return WaitFor("another call about one of its items, which is under way")
        kept.append(item)
    if call.items and not kept:
        return Supersede("all of its items are cancelled")
    return SendItems(tuple(kept))


def _release(call: Call, known: Iterable[_Known]) -> Decision:
    pairs = zip(call.items, known, strict=True)
    kept = tuple(item for item, r in pairs if not (r.spent or r.busy or r.state == "released" or r.other == "release"))
    return SendItems(kept) if kept else Supersede("its items are confirmed, being confirmed, or released already")


def _cancel(call: Call, known: Iterable[_Known]) -> Decision:
    if any(reservation.state == "cancelled" for reservation in known):
        return Supersede("the item is cancelled already")
    if any(reservation.busy for reservation in known):
        return WaitFor("another call about the item, which is under way")
    return SendItems(call.items)


class _Known:
    """What is known of an item's reservation, for the call of this key."""

    __slots__ = ("busy", "other", "state")

    def __init__(self, key: str, reservation: Reservation | None, live: Owners) -> None:
        self.state: State = reservation.state if reservation else ""
        self.other = reservation.pending if reservation and reservation.key != key else None
        self.busy = self.other is not None and reservation is not None and reservation.owner in live

    @property
    def cancelled(self) -> bool:
        """It is; or it may be, by a call that was cut short."""
        return self.state == "cancelled" or (not self.busy and self.other == "cancel")

    @property
    def spent(self) -> bool:
        """Sold or cancelled; or it may be, by a call that was cut short."""
        return self.cancelled or self.state == "confirmed" or (not self.busy and self.other == "confirm")


class Names:
    """Items of one order, to find others by: by the reservation where both have one, else by the cart item."""

    def __init__(self, items: Iterable[CallItem]) -> None:
        items = tuple(items)
        self._reservations = {item.item_reservation_id for item in items if item.item_reservation_id}
        self._cart_items = {item.cart_item_id for item in items if item.cart_item_id}
        self._unreserved = {item.cart_item_id for item in items if item.cart_item_id and not item.item_reservation_id}

    def __contains__(self, item: CallItem) -> bool:
        if item.item_reservation_id is None:
            return item.cart_item_id in self._cart_items
        return item.item_reservation_id in self._reservations or item.cart_item_id in self._unreserved


def _heard(order: Order, items: tuple[CallItem, ...], known: Mapping[str, Reservation]) -> bool:
    """Whether the confirm of these items (none: of the whole order) has come, and what became of it is known."""
    if not items:
        return order.settled > 0 and not order.under_way
    confirmed = Names(order.items)
    return all(item in confirmed or _acknowledged(order, known.get(item.item_reservation_id or "")) for item in items)


def _acknowledged(order: Order, reservation: Reservation | None) -> bool:
    if reservation is None:
        return False
    return reservation.state in ("confirmed", "refused", "cancelled") or (
        reservation.state == "released" and order.settled > 0
    )


def _resolved(
    items: Iterable[CallItem], confirmed: Iterable[CallItem]
) -> tuple[tuple[CallItem, ...], tuple[CallItem, ...]]:
    """The items with their reservations, of which one item of a cart may have had several; and those without."""
    by_cart_item: dict[str, list[str]] = {}
    for item in confirmed:
        if item.cart_item_id and item.item_reservation_id:
            by_cart_item.setdefault(item.cart_item_id, []).append(item.item_reservation_id)
    found: dict[str, CallItem] = {}
    unresolved: list[CallItem] = []
    for item in items:
        named = [item.item_reservation_id] if item.item_reservation_id else by_cart_item.get(item.cart_item_id or "")
        for reservation in named or ():
            known = found.get(reservation)
            found[reservation] = CallItem((known.cart_item_id if known else None) or item.cart_item_id, reservation)
        if not named:
            unresolved.append(item)
    return tuple(found.values()), tuple(unresolved)
