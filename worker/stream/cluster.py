"""What brokers say of the topics that they keep: where logs start and end, and for how long records are kept.

Each call waits for its answer, at most `seconds`; so none is made on the event loop, nor on the consumer's thread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)

from worker.stream.client import said
from worker.stream.commits import Partition
from worker.stream.horizon import Log

FOREVER = -1
GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Kept:
    """How long a topic keeps its records, in milliseconds; None: for ever."""

    ms: int | None


@dataclass(frozen=True, slots=True)
class Untold:
    """Why it is not told."""

    why: str


class Cluster:
    """The brokers, asked as any client may that is allowed to Describe and DescribeConfigs the topics."""

    def __init__(self, config: Mapping[str, Any], *, seconds: float) -> None:
        self._admin = AdminClient(dict(config))
        self._seconds = seconds

    def logs(self, partitions: Collection[Partition]) -> dict[Partition, Log | Untold]:
        """Where each log starts and ends."""
        self._admin.poll(0)
        starts = self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        ends = self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        found: dict[Partition, Log | Untold] = {}
        for partition in partitions:
            start, end = starts[partition], ends[partition]
            if isinstance(start, Untold):
                found[partition] = start
            else:
                found[partition] = end if isinstance(end, Untold) else Log(start, end)
        return found

    def retention(self, topics: Collection[str]) -> dict[str, Kept | Untold]:
        """How long each topic keeps its records."""
        self._admin.poll(0)
        resources = {topic: ConfigResource(ResourceType.TOPIC, topic) for topic in topics}
        asked = self._admin.describe_configs(list(resources.values()), request_timeout=self._seconds)
        return {topic: self._kept(asked[resource]) for topic, resource in resources.items()}

    def _kept(self, answer: Future[dict[str, ConfigEntry]]) -> Kept | Untold:
        try:
            settings = {name: entry.value for name, entry in answer.result(self._seconds + GRACE_SECONDS).items()}
            ms = int(str(settings["retention.ms"]))
        except KafkaException as error:
            return Untold(said(error.args[0]))
        except TimeoutError:
            return Untold("no answer")
        except (KeyError, TypeError, ValueError):
            return Untold("the answer names no retention.ms")
        deleted = "delete" in str(settings.get("cleanup.policy", "delete"))
        return Kept(None if ms == FOREVER or not deleted else ms)

    def _offsets(self, partitions: Collection[Partition], spec: OffsetSpec) -> dict[Partition, int | Untold]:
        places = {partition: TopicPartition(*partition) for partition in partitions}
        asked = self._admin.list_offsets(dict.fromkeys(places.values(), spec), request_timeout=self._seconds)
        return {partition: self._offset(asked[place]) for partition, place in places.items()}

    def _offset(self, answer: Future[Any]) -> int | Untold:
        try:
            return int(answer.result(self._seconds + GRACE_SECONDS).offset)
        except KafkaException as error:
            return Untold(said(error.args[0]))
        except TimeoutError:
            return Untold("no answer")
