"""A consumer as the worker's thread uses it, on the simulated broker: blocking calls, callbacks from within them.

It stands for `confluent_kafka.Consumer`; tests/simulation/test_fakes_behave_alike.py holds the two side by side.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Literal, TypeVar, cast, overload

from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, KafkaException, Message, TopicPartition

from simulation.broker import Broker, Partition
from simulation.committing import TIMED_OUT, Commits, Manners
from simulation.group import INVALID, Group
from simulation.lockstep import Lockstep
from simulation.processes import Process
from worker.record import Record
from worker.stream.client import Rebalanced

T = TypeVar("T")
Answered = Callable[[KafkaError | None, list[TopicPartition]], None]

NO_CALLBACK = cast("Answered", lambda _, __: None)


class Member:
    """One consumer of one process. All public methods but `told` and the properties are called on its thread."""

    def __init__(
        self,
        process: Process,
        thread: Lockstep,
        broker: Broker,
        group: Group,
        *,
        loop: asyncio.AbstractEventLoop,
        chance: Random,
        manners: Manners,
        on_commit: Answered = NO_CALLBACK,
    ) -> None:
        self.name = process.name
        self._process = process
        self._thread = thread
        self._broker = broker
        self._group = group
        self._loop = loop
        self._chance = chance
        self._manners = manners
        self._on_commit = on_commit
        self._id = 0
        self._generation = 0
        self._owned: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._due: deque[Callable[[], None]] = deque()
        self._rebalances_due = 0
        self._commits = Commits(process, group, loop=loop, chance=chance, manners=manners)
        process.on_death.append(self._died)

    @property
    def busy(self) -> bool:
        on_its_way = (
            self._commits.on_their_way > 0
        )  # what it sends to join again comes behind it on the same connection
        return self._rebalances_due > 0 or on_its_way or not self._process.alive or not self._process.linked

    @property
    def owned(self) -> frozenset[Partition]:
        return frozenset(self._owned)

    def subscribe(self, _: list[str], /, on_assign: Rebalanced, on_revoke: Rebalanced, on_lost: Rebalanced) -> None:
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._id = self._group.join(self)

    def told(self, generation: int, partitions: frozenset[Partition]) -> None:
        """Called by the coordinator: the callbacks come in the next `consume`."""
        self._generation = generation
        revoked = sorted(self.owned - partitions)
        added = sorted(partitions - self.owned)
        if revoked:
            self._rebalance(partial(self._revoke, self._on_revoke, revoked))
        if added:
            self._rebalance(partial(self._assign, added))

    def consume(self, num_messages: int, timeout: float, /) -> list[Message]:
        self._process.step_of_thread("consume")
        if self._available() < num_messages and not self._due:
            self._wait(asyncio.sleep(timeout))
        else:
            self._wait(asyncio.sleep(self._chance.uniform(0.0, self._manners.round_trip)))
        self._serve()
        messages = self._take(num_messages)
        self._process.step_of_thread("consumed")
        return messages

    def pause(self, partitions: list[TopicPartition], /) -> None:
        self._paused.update((p.topic, p.partition) for p in partitions)

    def resume(self, partitions: list[TopicPartition], /) -> None:
        self._paused.difference_update((p.topic, p.partition) for p in partitions)

    def committed(self, partitions: list[TopicPartition], /, timeout: float) -> list[TopicPartition]:
        self._process.step_of_thread("ask what is committed")
        if not self._process.linked or self._happens(self._manners.asking_fails):
            self._wait(asyncio.sleep(timeout))
            raise KafkaException(KafkaError(TIMED_OUT))
        self._round_trip()
        return [self._group.committed((p.topic, p.partition)) for p in partitions]

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> tuple[int, int]:
        """Nothing is ever deleted here."""
        return 0, self._broker.end((partition.topic, partition.partition))

    def assign(self, partitions: list[TopicPartition]) -> None:
        raise NotImplementedError("the group is cooperative")

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        raise NotImplementedError("what has no commit is begun at its start")

    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True]) -> None: ...
    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[False]) -> list[TopicPartition]: ...
    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        self._process.step_of_thread("commit")
        answer = self._commits.send((self._id, self._generation), list(offsets))
        if asynchronous:
            answer.add_done_callback(lambda done: self._due.append(partial(self._on_commit, done.result(), offsets)))
            return None
        error = self._wait(answer)
        self._process.step_of_thread("committed")
        if error is not None:
            raise KafkaException(error)
        return offsets

    def close(self) -> None:
        """Gives everything back and leaves."""
        self._process.step_of_thread("close")
        self._serve()
        self._revoke(self._on_revoke if self._group.has(self._id) else self._on_lost)
        if self._process.linked:
            self._group.leave(self._id, "left")
        self._round_trip()

    def link_lost(self, seconds: float) -> None:
        """Called by the world: the brokers do not hear of it for so long, nor it of them."""
        gone = self._id
        if seconds > self._manners.session:
            self._loop.call_later(self._manners.session, self._group.leave, gone, "expired")
            self._loop.call_later(self._chance.uniform(self._manners.session, seconds), self._lose, gone)

    def link_is_back(self) -> None:
        """Called by the world."""
        if self._process.alive and not self._group.has(self._id):
            self._lose(self._id)
            self._id = self._group.join(self)
        self._group.member_changed()

    def _lose(self, member_id: int) -> None:
        if member_id == self._id and self._process.alive and self._owned:
            self._rebalance(partial(self._revoke, self._on_lost))

    def _died(self) -> None:
        session = self._chance.uniform(self._manners.session, 1.2 * self._manners.session)
        self._loop.call_later(session, self._group.leave, self._id, "expired")

    def _rebalance(self, callback: Callable[[], None]) -> None:
        self._rebalances_due += 1
        self._due.append(callback)

    def _assign(self, added: Sequence[Partition]) -> None:
        self._on_assign(self, [TopicPartition(*partition, INVALID) for partition in added])
        for partition in added:
            committed = self._group.committed(partition).offset
            self._owned[partition] = 0 if committed == INVALID else committed
        self._answered_rebalance()

    def _revoke(self, callback: Rebalanced, revoked: Sequence[Partition] | None = None) -> None:
        still = [p for p in sorted(self._owned) if revoked is None or p in revoked]
        if still:
            callback(self, [TopicPartition(*partition) for partition in still])
        for partition in still:
            del self._owned[partition]
        self._answered_rebalance()
        self._group.rebalance()

    def _answered_rebalance(self) -> None:
        self._rebalances_due = max(0, self._rebalances_due - 1)
        self._group.member_changed()

    def _serve(self) -> None:
        while self._due:
            self._due.popleft()()

    def _available(self) -> int:
        return sum(len(self._broker.read(p, at, 1_000)) for p, at in self._readable())

    def _take(self, most: int) -> list[Message]:
        """What is there of the partitions that are read, some of each, in any order among partitions."""
        found: list[Message] = []
        places = self._readable()
        self._chance.shuffle(places)
        for partition, at in places:
            room = most - len(found)
            if room <= 0:
                break
            records = self._broker.read(partition, at, self._chance.randint(1, room))
            if records:
                self._owned[partition] = records[-1].offset + 1
            found += [_message(record) for record in records]
        return found

    def _readable(self) -> list[tuple[Partition, int]]:
        if not self._process.linked:
            return []
        return [(p, at) for p, at in self._owned.items() if p not in self._paused]

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share

    def _round_trip(self) -> None:
        self._wait(asyncio.sleep(self._chance.uniform(0.0, self._manners.round_trip)))

    def _wait(self, awaitable: Awaitable[T]) -> T:
        return self._thread.wait_for(awaitable)


def _message(record: Record) -> Message:
    return Message(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        timestamp=(TIMESTAMP_CREATE_TIME, record.timestamp_ms or 0),
    )
