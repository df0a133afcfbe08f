"""The topics that settings ask for, and who is asked about them."""

from __future__ import annotations

from structlog.typing import FilteringBoundLogger

from worker.settings import Settings
from worker.stream import config
from worker.topics.asking import Administrator
from worker.topics.needed import PARTITIONS, REPLICATION, Needed, needed
from worker.transactions.ways import ways


def needed_by(settings: Settings, partitions: int = PARTITIONS, replication: int = REPLICATION) -> tuple[Needed, ...]:
    """Every topic of these settings."""
    topics, given = settings.topics, settings.transactions
    return needed(
        config.event_types(topics),
        topics.outcomes,
        topics.dead_letter_suffix,
        ledger_days=settings.ledger.retention_days,
        transactions=topics.transactions if given.open or ways(given) else None,
        partitions=partitions,
        replication=replication,
    )


def administrator(settings: Settings, log: FilteringBoundLogger, *, seconds: float) -> Administrator:
    """The brokers of these settings. Raises SettingsError for properties that the client library refuses."""
    consumer = config.consumer_config(settings.kafka, log, lambda _: None)
    producer = config.producer_config(settings.kafka, log, lambda _: None)
    config.check(consumer, producer)
    return Administrator(config.admin_config(settings.kafka, log), seconds=seconds)
