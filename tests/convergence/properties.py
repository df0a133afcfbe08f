"""What must hold at the end of every run."""

from __future__ import annotations

from convergence.histories import History, Item, cancels, confirms, releases
from convergence.world import World
from worker.mapping import Call, map_event
from worker.sandbox.reservations import State

GIVEN_UP = ("exhausted", "unknown-outcome")


def check(history: History, world: World, *, patient: bool) -> None:
    """Every property; `patient`: every wait was long enough."""
    world.ledger.check_rows()
    nothing_left_over(world)
    nothing_done_twice(history, world)
    books_balance(history, world)
    for item in history.items:
        never_sold_though_cancelled(history, world, item)
        if patient and not _given_up(world):
            ends_as_in_sequence(history, world, item)


def state_of(world: World, item: Item) -> State | None:
    """As Rokt has it; None when it never heard of it."""
    found = world.rokt.reservations().get(item.at_rokt)
    return found.state if found is not None else None


def nothing_done_twice(history: History, world: World) -> None:
    """But for calls whose answer was lost, and whose key Rokt has forgotten since.

    Two confirms of an item are two calls, and so are two releases; the second of these changes nothing at Rokt.
    """
    odd = {name for (name, key), n in world.rokt.odd.items() if n and key not in world.rokt.forgotten}
    allowed = {"double_effects"} if history.many_confirms else set()
    allowed |= {"repeated_releases"} if history.many_releases else set()
    assert not odd - allowed


def nothing_left_over(world: World) -> None:
    """No claim is left, but on what nobody will know."""
    assert all(entry.status is not None and entry.published for entry in world.ledger.entries.values())
    assert all(reservation.owner is None for reservation in world.ledger.reservations.values())
    for order in world.ledger.orders.values():
        assert all(
            begun.owner is None and world.ledger.entries[key].status == "dead" for key, begun in order.under_way.items()
        )


def books_balance(history: History, world: World) -> None:
    """Every event has an outcome for each of its calls, or is skipped, or is in its dead-letter topic."""
    letters = {event_id for event_id, _, _ in world.books.letters}
    settled = {event_id for event_id, _ in world.books.settled}
    published = {event.event_id for events in history.streams.values() for event in events}
    assert published == letters | settled | world.books.skipped
    for key in world.ledger.entries:
        assert world.books.outcomes[key] >= 1
        assert world.books.outcomes[key] == 1 or key in world.books.interrupted


def never_sold_though_cancelled(history: History, world: World, item: Item) -> None:
    """But when the cancel itself was given up, or nobody can know the reservation that Rokt has made up."""
    if state_of(world, item) is not State.CONFIRMED or not any(cancels(event, item) for event in history.cancelled):
        return
    assert _given_up(world, "cancel") or _unresolvable(world, item), f"{item} is sold though cancelled"


def ends_as_in_sequence(history: History, world: World, item: Item) -> None:
    """As if all confirms had come first, then all cancels, then all releases."""
    sold = not item.fails and any(confirms(event, item) for event in history.paid)
    cancelled = any(cancels(event, item) for event in history.cancelled)
    released = not item.fails and any(releases(event, item) for event in history.abandoned)
    found = state_of(world, item)
    if sold and found is State.RELEASED:
        assert _released_before_its_confirm(history, world, item)
    elif sold and cancelled:
        whole_before_the_second = history.many_confirms and any(not event.items for event in history.cancelled)
        allowed = (None, State.HELD, State.RELEASED) if whole_before_the_second else ()
        assert found in (State.CANCELLED, *allowed) or _unresolvable(world, item)
    elif sold:
        assert found is State.CONFIRMED
    elif released:
        # A release gives way to a cancel, which Rokt may then refuse: the reservation runs out by itself.
        assert found is State.RELEASED or (cancelled and found in (None, State.HELD))
    else:
        assert found in (None, State.HELD)


def _released_before_its_confirm(history: History, world: World, item: Item) -> bool:
    """A release that went out before the confirm cannot be taken back: known, and accepted."""
    of_item = {_key(event) for event in history.paid if confirms(event, item)}
    of_release = {_key(event) for event in history.abandoned if releases(event, item)}
    return any(key in of_release and not before & of_item for key, before in world.books.releases)


def _unresolvable(world: World, item: Item) -> bool:
    """An item without a reservation whose confirm's answer was lost, with a dead letter that says so."""
    named = {one.cart_item_id for _, death, items in world.books.letters for one in items}
    return item.reservation is None and item.id in named


def _given_up(world: World, operation: str = "") -> bool:
    entries = [entry for entry in world.ledger.entries.values() if entry.operation == (operation or entry.operation)]
    return any(entry.status == "dead" for entry in entries)


def _key(event: object) -> str:
    mapped = map_event(event)  # type: ignore[arg-type]
    assert isinstance(mapped, Call)
    return mapped.key
