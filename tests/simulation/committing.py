"""How a member's commits reach the coordinator: in order, each after a while, some not at all, some unanswered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from confluent_kafka import KafkaError, TopicPartition

from simulation.group import Group
from simulation.processes import Process
from simulation.virtual_time import SAME_MOMENT

TIMED_OUT = KafkaError._TIMED_OUT


@dataclass(frozen=True, slots=True)
class Manners:
    """How the broker treats this member: seconds of a round trip and of a session, and what it refuses, as a share."""

    round_trip: float = 0.01
    session: float = 10.0
    commit_fails: float = 0.0
    commit_answer_lost: float = 0.0
    asking_fails: float = 0.0


class Commits:
    """One member's. What is on its way goes on without the process, as all that was sent does."""

    def __init__(
        self, process: Process, group: Group, *, loop: asyncio.AbstractEventLoop, chance: Random, manners: Manners
    ) -> None:
        self.on_their_way = 0
        self._process = process
        self._group = group
        self._loop = loop
        self._chance = chance
        self._manners = manners
        self._last_at = 0.0

    def send(self, sender: tuple[int, int], offsets: Sequence[TopicPartition]) -> asyncio.Future[KafkaError | None]:
        """Sends a commit as a member of an id and a generation; the future has the coordinator's answer."""
        answer: asyncio.Future[KafkaError | None] = self._loop.create_future()
        soon = self._loop.time() + self._chance.uniform(0.0, self._manners.round_trip)
        self._last_at = max(self._last_at + 2 * SAME_MOMENT, soon)
        self.on_their_way += 1
        self._loop.call_at(self._last_at, self._arrive, answer, sender, offsets)
        return answer

    def _arrive(
        self, answer: asyncio.Future[KafkaError | None], sender: tuple[int, int], offsets: Sequence[TopicPartition]
    ) -> None:
        self.on_their_way -= 1
        self._group.member_changed()
        if not self._process.linked or self._happens(self._manners.commit_fails):
            self._answer(answer, KafkaError(TIMED_OUT))
            return
        error = self._group.commit(*sender, self._process.name, offsets)
        self._answer(answer, KafkaError(TIMED_OUT) if self._happens(self._manners.commit_answer_lost) else error)

    def _answer(self, answer: asyncio.Future[KafkaError | None], error: KafkaError | None) -> None:
        def come() -> None:
            if not answer.done():
                answer.set_result(error)

        self._loop.call_later(self._chance.uniform(0.0, self._manners.round_trip), come)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share
