"""A confirm that is rejected for a while, redriven by one or two, beside its redelivery, a cancel and a release.

Every interleaving of all their steps, with one mishap at each.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convergence.histories import ABANDONED, CANCELLED, PAID, TOPICS, History, Item, called_off, completed, left
from convergence.properties import never_sold_though_cancelled, nothing_done_twice, nothing_left_over, state_of
from convergence.test_small_scope import State, changed, fingerprint, successors
from convergence.world import Stream, World
from worker.events import Event
from worker.keys import again
from worker.ledger.entries import Redo
from worker.mapping import Call, map_event
from worker.sandbox.reservations import State as AtRokt

ITEM = Item("item", "r")
PAYING = completed(0, (ITEM,))
REDELIVERED = completed(1, (ITEM,))
CANCEL, RELEASE = called_off(0, ()), left(0, (ITEM,))
ENDS = 10


def _key(event: Event) -> str:
    call = map_event(event)
    assert isinstance(call, Call)
    return call.key


def first(*, cancel: bool, release: bool, redrivers: int, redelivered: bool) -> tuple[History, World]:
    """The world in which Rokt rejects confirms; each topic and each redriver is a worker of its own."""
    streams: dict[str, tuple[Event, ...]] = {
        PAID: (PAYING, REDELIVERED) if redelivered else (PAYING,),
        CANCELLED: (CANCEL,) if cancel else (),
        ABANDONED: (RELEASE,) if release else (),
    }
    people = [f"redriver {number}" for number in range(redrivers)]
    workers = dict(zip((*TOPICS, *people), "abcdef", strict=False))
    world = World(streams | dict.fromkeys(people, (PAYING,)), workers, max_attempts=1000)
    for name in people:
        world.streams[name] = Stream((PAYING,), world.streams[name].owner, redo=Redo(_key(PAYING)))
    world.lives = dict.fromkeys(world.streams, 0)
    world.rokt.rejecting = True
    return History((ITEM,), streams), world


def mend(world: World) -> None:
    world.rokt.rejecting = False


def goes_on(state: State, *, patient: bool) -> Iterator[State]:
    """What may come next; Rokt is mended at any moment."""
    if state.world.rokt.rejecting:
        yield changed(state, mend)
    yield from successors(state, patient=patient, forgets=False)


def ends(world: World, *, patient: bool, mishaps: int) -> Iterator[World]:
    """Every way in which it can end."""
    seen: set[object] = set()
    left_over = [State(world, mishaps)]
    while left_over:
        state = left_over.pop()
        mark = fingerprint(state), state.world.rokt.rejecting
        if mark in seen:
            continue
        seen.add(mark)
        if state.world.finished:
            yield state.world
            continue
        after = list(goes_on(state, patient=patient))
        assert after, "it never ends"
        left_over += after


def sold_only_once_under_a_key_that_was_not_rejected(world: World) -> None:
    """Rokt knows the keys of the confirm: its own, the one of its redrive, and no other."""
    key = _key(PAYING)
    entry = world.ledger.entries[key]
    assert entry.redo <= 1
    assert {again(key, 2), again(key, 3)}.isdisjoint(world.rokt.keys), "one letter began it again twice"
    found = world.rokt.reservations().get(ITEM.at_rokt)
    assert found is None or found.confirms <= 1


def ends_by_the_rules(history: History, world: World, *, mishaps: int) -> None:
    """What became of the confirm, as the ledger has it, is what Rokt has; and a cancelled order is not sold."""
    nothing_left_over(world)
    nothing_done_twice(history, world)
    never_sold_though_cancelled(history, world, ITEM)
    sold_only_once_under_a_key_that_was_not_rejected(world)
    entry, found = world.ledger.entries[_key(PAYING)], state_of(world, ITEM)
    if entry.status == "duplicate":
        return  # a rejection whose answer was lost is taken for a success: known, and accepted
    if entry.status == "succeeded":
        assert found in (AtRokt.CONFIRMED, AtRokt.CANCELLED)
    else:
        assert entry.status in ("rejected", "superseded")
        assert found is not AtRokt.CONFIRMED
        assert found is not AtRokt.CANCELLED or mishaps, "only one that was cut short is cancelled and superseded"
    if history.abandoned and not mishaps:  # one whose answer was lost may give way to a confirm that came meanwhile
        released = world.ledger.entries[_key(RELEASE)].status
        assert released in ("succeeded", "duplicate", "superseded")
        assert (found is AtRokt.RELEASED) == (released != "superseded")


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize(
    ("cancel", "release", "redrivers", "redelivered", "mishaps"),
    [
        (True, True, 1, True, 0),
        (True, False, 2, True, 0),
        (False, True, 2, True, 0),
        (True, False, 1, False, 1),
        (False, True, 1, False, 1),
        (False, False, 2, False, 1),
    ],
)
def test_a_rejected_confirm_that_is_redriven_ends_by_the_rules(
    cancel: bool, release: bool, redrivers: int, redelivered: bool, mishaps: int, patient: bool
) -> None:
    history, world = first(cancel=cancel, release=release, redrivers=redrivers, redelivered=redelivered)
    found = list(ends(world, patient=patient, mishaps=mishaps))
    for end in found:
        ends_by_the_rules(history, end, mishaps=mishaps)
    states = {(end.ledger.entries[_key(PAYING)].status, end.ledger.entries[_key(PAYING)].redo) for end in found}
    assert {("succeeded", 0), ("succeeded", 1), ("rejected", 1)} <= states
    assert (("superseded", 1) in states) == cancel
