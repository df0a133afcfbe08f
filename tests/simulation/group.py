"""A consumer group's coordinator: who is in it, who has which partition, what was committed.

Rebalances are cooperative: in a round, a partition that is to go to another member is first revoked from its owner, and
given away in the next round, once that owner has joined again. Each round is a generation; while its assignments are
under way, and for a member of an earlier generation, commits are refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from confluent_kafka import KafkaError, TopicPartition

from simulation.broker import Partition
from simulation.trace import Trace

INVALID = -1001
"""What librdkafka gives for an offset that was never committed."""


class Rejoining(Protocol):
    """A member's client, as the coordinator reaches it."""

    @property
    def name(self) -> str: ...
    @property
    def busy(self) -> bool:
        """Whether a rebalance callback is under way or due: until it is over, it does not join the next round."""

    @property
    def owned(self) -> frozenset[Partition]: ...

    def told(self, generation: int, partitions: frozenset[Partition]) -> None:
        """What it has from now on."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit that the coordinator took: when (virtual seconds), by whom, how far, and the text beside it."""

    at: float
    by: str
    partition: Partition
    offset: int
    metadata: str
    written: int


class Group:
    """One group over `partitions`. `spawn` begins a task of the coordinator's own; `written` counts all records."""

    def __init__(
        self,
        partitions: Sequence[Partition],
        *,
        loop: asyncio.AbstractEventLoop,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        written: Callable[[], int],
        trace: Trace,
        chance: Random,
        round_seconds: float = 0.3,
    ) -> None:
        self._partitions = list(partitions)
        self._loop = loop
        self._spawn = spawn
        self._written = written
        self._trace = trace
        self._chance = chance
        self._round_seconds = round_seconds
        self._members: dict[int, Rejoining] = {}
        self._joined = 0
        self._generation = 0
        self._assigning = False
        self._rebalancing = False
        self._wanted = False
        self._changed = asyncio.Event()
        self.offsets: dict[Partition, tuple[int, str]] = {}
        self.commits: list[Commit] = []

    @property
    def assigning(self) -> bool:
        """Whether a round's assignments are under way."""
        return self._assigning

    def join(self, member: Rejoining) -> int:
        """Takes a member in; gives the id that it has until it leaves or expires."""
        self._joined += 1
        self._members[self._joined] = member
        self._trace.note("group", "joined", member=member.name, id=self._joined)
        self.rebalance()
        return self._joined

    def leave(self, member_id: int, why: str) -> None:
        """Lets it go, if it is still there: what it had is free at once."""
        if (member := self._members.pop(member_id, None)) is not None:
            self._trace.note("group", why, member=member.name, id=member_id)
            self.rebalance()

    def has(self, member_id: int) -> bool:
        """Whether a member is known by that id."""
        return member_id in self._members

    def rebalance(self) -> None:
        """Asks for one more round."""
        self._wanted = True
        self._changed.set()
        if not self._rebalancing:
            self._rebalancing = True
            self._spawn(self._rebalance())

    def member_changed(self) -> None:
        """A member is not busy any more, or left."""
        self._changed.set()

    def commit(self, member_id: int, generation: int, by: str, offsets: Sequence[TopicPartition]) -> KafkaError | None:
        """Takes the offsets, all of them, or says why not."""
        if member_id not in self._members:
            return KafkaError(KafkaError.UNKNOWN_MEMBER_ID)
        if self._assigning:
            return KafkaError(KafkaError.REBALANCE_IN_PROGRESS)
        if generation != self._generation:
            return KafkaError(KafkaError.ILLEGAL_GENERATION)
        for p in offsets:
            place, text = (p.topic, p.partition), p.metadata or ""
            self.offsets[place] = (p.offset, text)
            self.commits.append(Commit(self._loop.time(), by, place, p.offset, text, self._written()))
            self._trace.note(by, "committed", place=f"{p.topic}/{p.partition}@{p.offset}", text=bool(text))
        return None

    def committed(self, partition: Partition) -> TopicPartition:
        """How far the group is, and the text beside it."""
        if partition not in self.offsets:
            return TopicPartition(*partition, INVALID)
        return TopicPartition(*partition, *self.offsets[partition])

    async def _rebalance(self) -> None:
        while self._wanted:
            await asyncio.sleep(self._chance.uniform(0.0, self._round_seconds))
            while any(member.busy for member in self._members.values()):
                self._changed.clear()
                await self._changed.wait()
            self._wanted = False
            self._assigning = True
            self._generation += 1
            targets = self._assign()
            await asyncio.sleep(self._chance.uniform(0.0, self._round_seconds))
            self._assigning = False
            for member_id, partitions in targets.items():
                if (member := self._members.get(member_id)) is not None:
                    self._trace.note("group", "assigned", member=member.name, partitions=sorted(partitions))
                    member.told(self._generation, partitions)
        self._rebalancing = False

    def _assign(self) -> dict[int, frozenset[Partition]]:
        """As even as it can be, each keeping what it has; what another one still has waits for the next round."""
        if not self._members:
            return {}
        owned = {member_id: member.owned for member_id, member in self._members.items()}
        low, more = divmod(len(self._partitions), len(owned))
        quotas = [low + 1] * more + [low] * (len(owned) - more)
        kept: dict[int, set[Partition]] = {}
        room: dict[int, int] = {}
        for member_id in sorted(owned, key=lambda m: (-len(owned[m]), m)):
            quota = quotas.pop(0)
            mine = sorted(owned[member_id])
            kept[member_id] = set(self._chance.sample(mine, min(quota, len(mine))))
            room[member_id] = quota - len(kept[member_id])
        taken = frozenset().union(*owned.values())
        for partition in self._partitions:
            if partition not in taken:
                heir = max(room, key=lambda m: (room[m], -m))
                kept[heir].add(partition)
                room[heir] -= 1
        return {member_id: frozenset(partitions) for member_id, partitions in kept.items()}
