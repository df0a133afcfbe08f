"""The few things asked of a real Kafka as its administrator."""

from __future__ import annotations

import socket
import struct
import time
from typing import Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

CALM: Final = {"log_level": 0, "reconnect.backoff.max.ms": 200, "socket.connection.setup.timeout.ms": 2000}
API_VERSIONS: Final = 18
FETCH: Final = 1
TOPIC_SECONDS: Final = 20.0


def answers(bootstrap: str, within: float = 1.0) -> bool:
    """Whether a broker there tells of itself, not only whether the port is open."""
    try:
        return bool(AdminClient({"bootstrap.servers": bootstrap, **CALM}).list_topics(timeout=within).brokers)
    except KafkaException:
        return False


def create_topics(bootstrap: str, names: tuple[str, ...], partitions: int) -> None:
    """Returns when every partition can be used."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **CALM})
    wanted = [NewTopic(name, partitions, 1) for name in names]
    for made in admin.create_topics(wanted, operation_timeout=TOPIC_SECONDS, request_timeout=TOPIC_SECONDS).values():
        made.result(TOPIC_SECONDS)
    places = [TopicPartition(name, partition) for name in names for partition in range(partitions)]
    deadline = time.monotonic() + TOPIC_SECONDS
    while not _usable(admin, places):
        if time.monotonic() > deadline:
            raise TimeoutError(f"topics {', '.join(names)} cannot be used after {TOPIC_SECONDS:.0f} s")
        time.sleep(0.02)


def delete_topics(bootstrap: str, names: list[str]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, **CALM})
    for gone in admin.delete_topics(names, request_timeout=TOPIC_SECONDS).values():
        gone.exception(TOPIC_SECONDS)


def delete_records(bootstrap: str, topic: str, partition: int, before: int) -> None:
    """Moves the log's start; -1 = to its end."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **CALM})
    for deleted in admin.delete_records([TopicPartition(topic, partition, before)]).values():
        deleted.result(TOPIC_SECONDS)


def set_on_topic(bootstrap: str, topic: str, name: str, value: str) -> None:
    """Changes one of a topic's settings."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **CALM})
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for changed in admin.incremental_alter_configs([resource]).values():
        changed.result(TOPIC_SECONDS)


def is_version_4(bootstrap: str) -> bool:
    """Kafka 4.0 dropped the versions 0 to 3 of Fetch, which every older one still offers."""
    host, port = bootstrap.split(",")[0].rsplit(":", 1)
    request = struct.pack(">hhih", API_VERSIONS, 0, 1, -1)
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as answer:
            (size,) = struct.unpack(">i", answer.read(4))
            body = answer.read(size)
    _, error, count = struct.unpack_from(">ihi", body)
    lowest = {key: low for key, low, _ in struct.iter_unpack(">hhh", body[10 : 10 + 6 * count])}
    return bool(error == 0 and lowest[FETCH] >= 4)


def _usable(admin: AdminClient, places: list[TopicPartition]) -> bool:
    # Metadata name a leader a moment before it serves the partition.
    try:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = admin.list_offsets(dict.fromkeys(places, latest), request_timeout=5)
        return all(offset.result(5).offset >= 0 for offset in asked.values())
    except KafkaException:
        return False
