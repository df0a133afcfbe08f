"""The Kafka client as the consumption sees it: the few methods that it uses, and how what they say is written down.

`confluent_kafka.Consumer` has them; whoever plays the broker in a test has them too. All of them are called by one
thread. Each raises KafkaException where the broker, or the state of the group, stands in the way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, overload

from confluent_kafka import KafkaError, Message, TopicPartition

Rebalanced = Callable[[Any, list[TopicPartition]], None]


class Client(Protocol):
    """A member of a consumer group. Time-outs are in seconds."""

    def subscribe(
        self, topics: list[str], /, on_assign: Rebalanced, on_revoke: Rebalanced, on_lost: Rebalanced
    ) -> None:
        """Joins; the callbacks are called from within `consume` and `close`."""

    def consume(self, num_messages: int, timeout: float, /) -> list[Message]:
        """What came in time, errors among it; stays in the group for as long as it is called often enough."""

    def pause(self, partitions: list[TopicPartition], /) -> None:
        """Delivers nothing more of these until they are resumed."""

    def resume(self, partitions: list[TopicPartition], /) -> None:
        """Delivers again."""

    def committed(self, partitions: list[TopicPartition], /, timeout: float) -> list[TopicPartition]:
        """The same partitions with the offset and the text that the group committed last."""

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = ..., cached: bool = False
    ) -> tuple[int, int]:
        """Where the log starts and ends; `cached`: as the last fetch told it, without asking; negative: not known."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        """Takes these and no others, from these offsets; within `on_assign` of an eager strategy."""

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Takes these too, from these offsets; within `on_assign` of a cooperative strategy."""

    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True]) -> None: ...
    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[False]) -> list[TopicPartition]: ...


def said(error: KafkaError) -> str:
    """What an error says, and its name."""
    return f"{error.str()} ({error.name()})"


def listed(partitions: Sequence[TopicPartition]) -> dict[str, list[int]]:
    """Partitions by their topic, in order, for the log."""
    found: dict[str, list[int]] = defaultdict(list)
    for p in sorted(partitions, key=lambda p: (p.topic, p.partition)):
        found[p.topic].append(p.partition)
    return dict(found)
