"""The way of one event through the worker, as steps between which it may be interrupted, crash, or be overtaken.

A `Task` is a frozen value: a step gives the next one. All that lasts is in the world it steps in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from msgspec.structs import replace as changed

from convergence.books import Books
from convergence.rokt import Fault, Rokt
from convergence.tables import Tables
from worker.carts import CalledOff
from worker.events import Event, OrderCancelled
from worker.keys import again
from worker.ledger.entries import (
    Ask,
    CallOff,
    Disputed,
    Done,
    Entry,
    GiveBack,
    Origin,
    Published,
    Redo,
    Send,
    Settle,
    Wait,
)
from worker.mapping import Call, CallItem, Cancellation, NothingToDo, cancel, map_event, reduced
from worker.rokt.answers import Answer
from worker.verdict import Death, History, Settled, judge, not_done

FIRST = History()


class World(Protocol):
    """What a task steps in. `fault` decides what befalls an attempt; `max_attempts` is when a call is given up."""

    ledger: Tables
    rokt: Rokt
    books: Books
    max_attempts: int
    fault: Callable[[Call], Fault]


@dataclass(frozen=True, slots=True)
class Task:
    """One event in one worker's hands. `life` tells it from earlier deliveries of the same event.

    `asked`, `sending`, `history`, `answer`: the call that is ours. `entry`: the call whose outcome is being written.
    `written`: it is. `waits_at` is the ledger's version that held it back; `hurried`: a cancel has waited enough.
    `redo`: what was rejected or given up is begun again; the call that is ours was so many `times`.
    """

    event: Event
    owner: str
    life: int
    calling_off: tuple[CallItem, ...] | None = None
    calls: tuple[Call, ...] = ()
    asked: Ask | None = None
    sending: Call | None = None
    history: History = FIRST
    answer: Answer | None = None
    entry: Entry | None = None
    written: bool = False
    waits_at: int | None = None
    hurried: bool = False
    done: bool = False
    redo: Redo | None = None
    times: int = 0

    @property
    def waits_for_a_confirm(self) -> bool:
        """Others of its cart may go ahead meanwhile."""
        return self.calling_off is not None and self.waits_at is not None


def begin(event: Event, owner: str, life: int, books: Books, redo: Redo | None = None) -> Task:
    """An event that was read just now."""
    task = Task(event, owner, life, redo=redo)
    match map_event(event):
        case NothingToDo():
            books.skip(event)
            return replace(task, done=True)
        case Cancellation(items):
            return replace(task, calling_off=items)
        case Call() as call:
            return replace(task, calls=(call,))


def step(task: Task, world: World) -> Task:
    """The next thing that it does: at most one request to the ledger, or one attempt, or one record written."""
    if task.calling_off is not None:
        return _call_off(task, task.calling_off, world)
    if task.entry is not None:
        return _publish(task, task.entry, world)
    if task.asked is None:
        return _ask(task, world)
    if task.answer is None:
        return _attempt(task, world)
    return _judge(task, task.asked, task.answer, world)


def stop(task: Task, world: World) -> None:
    """Its worker is told to stop here: what it has begun is given back."""
    if task.asked is not None:
        maybe_sent = task.history.maybe_applied or task.answer is not None
        attempts = task.history.attempts + (task.answer is not None)
        world.ledger.work(GiveBack(task.asked, attempts, maybe_sent))


def _call_off(task: Task, items: tuple[CallItem, ...], world: World) -> Task:
    assert isinstance(task.event, OrderCancelled)
    reply = world.ledger.work(CallOff(task.event.order_id, items, task.hurried))
    if isinstance(reply, Wait):
        return replace(task, waits_at=world.ledger.version)
    assert isinstance(reply, CalledOff)
    if reply.unresolved or not reply.items:
        world.books.bury(task.event, Death("nothing-to-cancel", ""), reply.unresolved)
    calls = tuple(cancel(task.event, item) for item in reply.items)
    return replace(task, calling_off=None, waits_at=None, calls=calls, done=not calls)


def _ask(task: Task, world: World) -> Task:
    call = task.calls[0]
    origin = Origin(task.event.event_id, 0, "topic", 0, 0, None)
    ask = Ask(call, origin, task.owner, task.life, task.redo)
    match world.ledger.work(ask):
        case Send(items, attempts, maybe_sent, times):
            world.books.sent(call)
            sending = call if items == call.items else reduced(task.event, call, items)
            return replace(
                task,
                asked=ask,
                sending=changed(sending, key=again(call.key, times)),
                history=History(attempts, maybe_sent),
                answer=None,
                waits_at=None,
                times=times,
            )
        case Wait():
            return replace(task, waits_at=world.ledger.version)
        case Done(entry) if entry.published:
            return _next(task, world)
        case Done(entry):
            if entry.token != ask.token:
                world.books.take_over(entry)
            return replace(task, asked=ask, entry=entry, waits_at=None)
        case Disputed():
            world.books.bury(task.event, Death("unknown-outcome", ""), ())
            return _next(task, world)
        case other:
            raise AssertionError(other)


def _attempt(task: Task, world: World) -> Task:
    assert task.sending is not None
    assert task.asked is not None
    settled = world.ledger.entries[task.asked.call.key].status
    assert settled is None, f"a call that was settled as {settled} is made again"
    return replace(task, answer=world.rokt.attempt(task.sending, world.fault(task.sending)))


def _judge(task: Task, asked: Ask, answer: Answer, world: World) -> Task:
    assert task.sending is not None
    verdict = judge(task.sending, answer, task.history)
    history = task.history.after(answer)
    if not isinstance(verdict, Settled):
        if history.attempts < world.max_attempts:
            return replace(task, history=history, answer=None)
        reason = "unknown-outcome" if history.maybe_applied else "exhausted"
        items = tuple(map(not_done, task.sending.items))
        verdict = Settled("dead", items, None, history.attempts, Death(reason, ""))  # type: ignore[arg-type]
    entry = world.ledger.work(Settle(asked, verdict, task.times))
    assert isinstance(entry, Entry)
    assert entry.status is not None
    return replace(task, entry=entry, answer=None)


def _publish(task: Task, entry: Entry, world: World) -> Task:
    if not task.written:
        world.books.publish(task.event, entry)
        return replace(task, written=True)
    world.ledger.work(Published(entry.key, entry.settled_at_ms))
    if task.redo is not None and entry.token != task.life:
        return replace(task, asked=None, entry=None, written=False)  # another's, written for it: asked for once more
    return _next(task, world)


def _next(task: Task, world: World) -> Task:
    world.books.settle(task.event, task.calls[0])
    rest = task.calls[1:]
    return replace(
        task,
        calls=rest,
        asked=None,
        sending=None,
        answer=None,
        entry=None,
        written=False,
        waits_at=None,
        done=not rest,
    )
