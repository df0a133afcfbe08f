"""One cart, one item, a confirm, a cancel and a release: every interleaving of all their steps, one mishap at each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import pytest

from convergence.flow import Task
from convergence.histories import ABANDONED, CANCELLED, PAID, TOPICS, History, Item, called_off, completed, left, names
from convergence.properties import check
from convergence.rokt import Fault
from convergence.world import Step, Stream, World
from worker.events import CancelledItem

RESERVED, BY_QUANTITY = Item("item", "r"), Item("extra", None)
LOST = (Fault.LOST, Fault.LOST_AFTER)
APART, TOGETHER = ("a", "b", "c"), ("a", "a", "a")
ENDS = 30


@dataclass(frozen=True, slots=True)
class State:
    """A world, and how many mishaps it may still meet."""

    world: World
    mishaps: int


def one_of_each(item: Item, *named: CancelledItem) -> History:
    released = (left(0, (item,)),)
    return History((item,), {PAID: (completed(0, (item,)),), CANCELLED: (called_off(0, named),), ABANDONED: released})


def explore(history: History, workers: tuple[str, ...], *, patient: bool, forgets: bool = False) -> int:
    """Every state that can be reached, each once; gives how many worlds have ended."""
    first = World(history.streams, dict(zip(TOPICS, workers, strict=True)), max_attempts=1000)
    seen: set[object] = set()
    left_over = [State(first, 1)]
    ended = 0
    while left_over:
        state = left_over.pop()
        mark = fingerprint(state)
        if mark in seen:
            continue
        seen.add(mark)
        if state.world.finished:
            check(history, state.world, patient=patient)
            ended += 1
            continue
        after = list(successors(state, patient=patient, forgets=forgets))
        assert after, "it never ends"
        left_over += after
    return ended


def successors(state: State, *, patient: bool, forgets: bool) -> Iterator[State]:
    """What may come next. Reading an event and writing an outcome are nobody else's business: they come at once."""
    world = state.world
    steps = list(world.steps())
    if starts := [step for step in steps if step.task is None]:
        yield changed(state, partial(World.take, what=starts[0]))
        return
    writes = [step for step in steps if step.task is not None and step.task.entry is not None]
    for step in writes[:1] or steps:
        yield changed(state, partial(World.take, what=step))
        if state.mishaps and attempts(step):
            yield from (changed(state, partial(lose, step=step, fault=fault), mishaps=1) for fault in LOST)
    if not patient or not (steps or world.dead):
        yield from (changed(state, partial(World.take, what=step)) for step in world.impatience())
    if world.dead:
        yield changed(state, World.expire)
    if state.mishaps:
        for owner in {stream.owner for stream in world.streams.values() if stream.tasks}:
            yield changed(state, partial(World.crash, owner=owner), mishaps=1)
            yield changed(state, partial(World.stop, owner=owner), mishaps=1)
    if forgets and world.rokt.keys and not world.rokt.forgotten:
        yield changed(state, lambda world: world.rokt.forget())


def changed(state: State, change: Callable[[World], object], mishaps: int = 0) -> State:
    """The state after something has happened to its world; this one stays as it is."""
    world = state.world.fork()
    change(world)
    return State(world, state.mishaps - mishaps)


def attempts(step: Step) -> bool:
    """Whether a step is an attempt at a call."""
    task = step.task
    return task is not None and task.sending is not None and task.entry is None and task.answer is None


def lose(world: World, step: Step, fault: Fault) -> None:
    """The step is taken, and the answer to its attempt is lost."""
    well, world.fault = world.fault, lambda _: fault
    world.take(step)
    world.fault = well


def fingerprint(state: State) -> object:
    """What tells two worlds apart, for all that is still to come and to be checked."""
    world = state.world
    rokt, books, ledger = world.rokt, world.books, world.ledger
    return (
        state.mishaps,
        tuple((stream.owner, stream.position, _tasks(stream, ledger.version)) for stream in world.streams.values()),
        frozenset(ledger.entries.values()),
        frozenset(ledger.reservations.values()),
        repr(ledger.orders),
        ledger.live,
        frozenset((r.id, r.state, r.confirms, r.cancels, r.releases) for r in rokt.reservations().values()),
        frozenset(rokt.odd.items()),
        rokt.keys,
        rokt.forgotten,
        frozenset(books.outcomes.items()),
        books.interrupted,
        books.letters,
        books.settled,
        books.releases,
    )


def _tasks(stream: Stream, version: int) -> tuple[Task, ...]:
    """Of what holds a task back, only whether it still does."""
    return tuple(
        task if task.waits_at is None else replace(task, waits_at=int(task.waits_at == version))
        for _, task in stream.tasks
    )


BOTH, CART_ITEM, RESERVATION = ((name,) for name in names(RESERVED))


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("named", [(), BOTH, CART_ITEM, RESERVATION])
def test_one_of_each_converges_on_a_worker_for_each_topic(named: tuple[CancelledItem, ...], patient: bool) -> None:
    assert explore(one_of_each(RESERVED, *named), APART, patient=patient) > ENDS


@pytest.mark.parametrize("named", [(), CART_ITEM])
def test_one_of_each_converges_on_one_worker_for_all(named: tuple[CancelledItem, ...]) -> None:
    assert explore(one_of_each(RESERVED, *named), TOGETHER, patient=True) > ENDS


def test_one_of_each_converges_for_an_item_whose_reservation_rokt_makes_up() -> None:
    assert explore(one_of_each(BY_QUANTITY), APART, patient=False) > ENDS


def test_one_of_each_converges_while_rokt_forgets_its_keys() -> None:
    assert explore(one_of_each(RESERVED), APART, patient=True, forgets=True) > ENDS
