"""Three topics of one cart, the workers that read them, and everything that may befall these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from convergence.books import Books
from convergence.flow import Task, begin, step, stop
from convergence.rokt import Fault, Rokt
from convergence.tables import Tables
from worker.events import Event
from worker.ledger.entries import Redo
from worker.mapping import Call


@dataclass(frozen=True, slots=True)
class Stream:
    """One topic, of one cart: its events in order, who reads it, and how far that one is.

    `tasks` are under way; all before `position` but these are done. At most one of them is not waiting for a confirm.
    With a `redo` it is no topic but somebody who redrives its events, once there are dead letters of them.
    """

    events: tuple[Event, ...]
    owner: str
    position: int = 0
    tasks: tuple[tuple[int, Task], ...] = ()
    redo: Redo | None = None

    @property
    def committed(self) -> int:
        """All before it are done, whatever has gone ahead."""
        return min((number for number, _ in self.tasks), default=self.position)

    def put(self, number: int, task: Task) -> Stream:
        """The stream after a step of one of its tasks."""
        rest = tuple((other, one) for other, one in self.tasks if other != number)
        return replace(self, tasks=rest if task.done else tuple(sorted((*rest, (number, task)), key=_number)))


@dataclass(frozen=True, slots=True)
class Step:
    """One event goes on: from its beginning when it has no task yet; `hurry`: its wait for a confirm is over.

    `stray`: the worker that has it does not read its topic any more.
    """

    topic: str
    number: int
    task: Task | None
    hurry: bool = False
    stray: bool = False


class World:
    """Everything there is. `workers` names each topic's first reader: the same name, the same worker."""

    def __init__(self, streams: dict[str, tuple[Event, ...]], workers: dict[str, str], *, max_attempts: int) -> None:
        self.streams = {topic: Stream(events, f"{workers[topic]}-0") for topic, events in streams.items()}
        self.ledger = Tables(frozenset(stream.owner for stream in self.streams.values()))
        self.rokt = Rokt()
        self.books = Books()
        self.max_attempts = max_attempts
        self.fault: Callable[[Call], Fault] = _no_fault
        self.lives = dict.fromkeys(streams, 0)
        self.dead: frozenset[str] = frozenset()
        self.strays: tuple[Task, ...] = ()

    def fork(self) -> World:
        """A copy that goes its own way."""
        copy = World.__new__(World)
        copy.__dict__.update(self.__dict__)
        copy.streams = dict(self.streams)
        copy.ledger, copy.rokt, copy.books = self.ledger.fork(), self.rokt.fork(), self.books.fork()
        return copy

    @property
    def finished(self) -> bool:
        read = all(not stream.tasks and not self._may_begin(stream) for stream in self.streams.values())
        return read and not self.strays

    def steps(self) -> Iterator[Step]:
        """What may happen next, without anything going wrong."""
        for topic, stream in self.streams.items():
            busy = [(number, task) for number, task in stream.tasks if not task.waits_for_a_confirm]
            for number, task in busy or stream.tasks:
                if task.waits_at is None or task.waits_at < self.ledger.version:
                    yield Step(topic, number, task)
            if not busy and self._may_begin(stream):
                yield Step(topic, stream.position, None)
        for number, task in enumerate(self.strays):
            if task.waits_at is None or task.waits_at < self.ledger.version:
                yield Step("", number, task, stray=True)

    def _may_begin(self, stream: Stream) -> bool:
        """Whether it has one more event."""
        if stream.position == len(stream.events):
            return False
        event = stream.events[stream.position]
        return stream.redo is None or any(id_ == event.event_id for id_, _, _ in self.books.letters)

    def impatience(self) -> Iterator[Step]:
        """The cancels that wait for a confirm, each as it has waited enough."""
        for topic, stream in self.streams.items():
            if all(task.waits_for_a_confirm for _, task in stream.tasks):
                yield from (Step(topic, number, task, hurry=True) for number, task in stream.tasks if not task.hurried)

    def take(self, what: Step) -> None:
        """One of these steps happens."""
        if what.stray and what.task is not None:
            rest = self.strays[: what.number] + self.strays[what.number + 1 :]
            task = step(what.task, self)
            self.strays = rest if task.done else (*rest, task)
        else:
            self._go_on(what)
        tasks = (*self.strays, *(task for stream in self.streams.values() for _, task in stream.tasks))
        held = [task.asked.call.key for task in tasks if task.asked is not None and task.entry is None]
        assert len(held) == len(set(held)), "two have the same call in flight"

    def _go_on(self, what: Step) -> None:
        topic, stream = what.topic, self.streams[what.topic]
        if what.task is None:
            self.lives = {**self.lives, topic: self.lives[topic] + 1}
            task = begin(stream.events[what.number], stream.owner, self.lives[topic], self.books, stream.redo)
            stream = replace(stream, position=what.number + 1)
        elif what.hurry:
            task = replace(what.task, hurried=True, waits_at=-1)
        else:
            task = step(what.task, self)
        self.streams[topic] = stream.put(what.number, task)

    def crash(self, owner: str) -> None:
        """A worker ends as it is; others read on from what it had committed, and its lease runs on."""
        self.dead |= {owner}
        self._hand_over(owner, self._note_interrupted)

    def stop(self, owner: str) -> None:
        """A worker gives back what it has begun, and lives on without these topics."""
        self._hand_over(owner, self._give_back)

    def part(self, owner: str) -> None:
        """Others read on, and a worker that has not heard of it goes on with the calls that it has in hand."""
        in_hand = [task for s in self.streams.values() if s.owner == owner for _, task in s.tasks if task.asked]
        self.strays = (*self.strays, *in_hand)
        self._hand_over(owner, lambda _: None)

    def rewind(self, topic: str, position: int) -> None:
        """What was committed is read again: a commit that was lost, or a replay."""
        stream = self.streams[topic]
        if not stream.tasks:
            self.streams[topic] = replace(stream, position=min(position, stream.position))

    def expire(self) -> None:
        """The leases of the dead run out."""
        for owner in self.dead:
            self.ledger.expire(owner)
        self.dead = frozenset()

    @property
    def owners(self) -> list[str]:
        return sorted({stream.owner for stream in self.streams.values()})

    def _hand_over(self, owner: str, end: Callable[[Task], None]) -> None:
        name, life = owner.rsplit("-", 1)
        heir = f"{name}-{int(life) + 1}"
        for topic, stream in self.streams.items():
            if stream.owner == owner:
                for _, task in stream.tasks:
                    end(task)
                self.streams[topic] = Stream(stream.events, heir, stream.committed, redo=stream.redo)
        self.ledger.live |= {heir}

    def _note_interrupted(self, task: Task) -> None:
        if task.entry is not None and task.written:
            self.books.interrupted |= {task.entry.key}

    def _give_back(self, task: Task) -> None:
        self._note_interrupted(task)
        stop(task, self)


def _no_fault(_: Call) -> Fault:
    return Fault.NONE


def _number(pair: tuple[int, Task]) -> int:
    return pair[0]
