"""The consumer of the rivals that have none of their own."""

from __future__ import annotations

from confluent_kafka import Consumer


def reading(bootstrap: str, topic: str, group: str) -> Consumer:
    """It begins at the topic's start, and commits when it is told to."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    return consumer
