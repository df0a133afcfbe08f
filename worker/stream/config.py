"""From settings to librdkafka's properties, for the consumer and for the producer.

Names: librdkafka, CONFIGURATION.md. What the operator gives in WORKER_KAFKA__PROPERTIES and
WORKER_KAFKA__SECRET_PROPERTIES comes before our defaults; the properties that the guarantees stand on are refused in
the settings already.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from structlog.typing import FilteringBoundLogger

from worker.errors import SettingsError
from worker.events import EventType
from worker.settings import KafkaSettings, TopicSettings
from worker.telemetry import names

Trouble = Callable[[KafkaError], None]

DEFAULT_MAX_POLL_INTERVAL_MS = 300_000
PRODUCER_MAX_BYTES = 16 * 1024 * 1024
RESET = "auto.offset.reset"
AT_THE_END = ("latest", "largest", "end")
# What the library reads ahead, beside the records in hand: it is there again in milliseconds, and of its own 64 MB of
# records a backlog would have the process hold all.
AHEAD: Mapping[str, Any] = {"queued.max.messages.kbytes": 8 * 1024, "queued.min.messages": 10_000}
# By its heartbeat a member hears that partitions change hands, in two rounds; until all have heard, those wait.
CLASSIC: Mapping[str, Any] = {"partition.assignment.strategy": "cooperative-sticky", "heartbeat.interval.ms": 1_000}


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a partition is begun of which nothing is committed: at its end, else at its start.

    `eager`: the group's members give back all partitions in each rebalance, and are given a whole assignment.
    """

    at_the_end: bool = False
    eager: bool = False


def beginning(kafka: KafkaSettings) -> Beginning:
    """What the operator's properties say of it."""
    strategy = str(kafka.properties.get("partition.assignment.strategy", "cooperative"))
    return Beginning(_reset(kafka) in AT_THE_END, eager=not _modern(kafka) and "cooperative" not in strategy)


def consumer_config(kafka: KafkaSettings, log: FilteringBoundLogger, trouble: Trouble) -> dict[str, Any]:
    """Properties of the consumer.

    A log that does not go back to where we were is read from its start, and never from its end, whatever is said of
    partitions without a commit (`beginning`): worker/stream/losses.py says what was lost. After `error`, a partition
    can only be revived by giving it back and taking it again, so that is the operator's to ask for: it ends the worker.
    """
    defaults: dict[str, Any] = {
        "topic.metadata.refresh.interval.ms": int(kafka.metadata_seconds * 1000),
        **AHEAD,
        **({} if _modern(kafka) else CLASSIC),
    }
    reset = _reset(kafka)
    fixed = {
        "group.id": kafka.group_id,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,  # a transaction's mark behind the last record is no record that waits
        RESET: "earliest" if reset in AT_THE_END else reset,
        **({} if kafka.instance_id is None else {"group.instance.id": kafka.instance_id}),
    }
    return _config(kafka, defaults, fixed, log, trouble)


def producer_config(kafka: KafkaSettings, log: FilteringBoundLogger, trouble: Trouble) -> dict[str, Any]:
    """Properties of the producer: idempotent, acknowledged by all in-sync replicas; keys hashed as Java does it."""
    defaults: dict[str, Any] = {
        "linger.ms": 2,
        "partitioner": "murmur2_random",
        "message.max.bytes": PRODUCER_MAX_BYTES,
        "delivery.timeout.ms": int(kafka.delivery_seconds * 1000),
    }
    return _config(kafka, defaults, {"enable.idempotence": True, "acks": "all"}, log, trouble)


def admin_config(kafka: KafkaSettings, log: FilteringBoundLogger) -> dict[str, Any]:
    """Properties of the client that asks what the brokers keep; its troubles are the consumer's too, said there."""
    return _config(kafka, {}, {}, log, lambda _: None)


def reading_config(kafka: KafkaSettings, log: FilteringBoundLogger) -> dict[str, Any]:
    """Properties of a consumer that is assigned by hand, in the name of the group, which may read the topics.

    Nothing is joined or committed, and it says nothing by itself.
    """
    return quiet(admin_config(kafka, log)) | {"group.id": kafka.group_id}


def quiet(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same, of a client that says nothing by itself; what `debug` asks for would be said in spite of the level."""
    return {name: value for name, value in given.items() if name not in ("logger", "debug")} | {"log_level": 0}


def check(consumer: Mapping[str, Any], producer: Mapping[str, Any]) -> None:
    """Has the client library look at both. Raises SettingsError with what it says, without values of secrets."""
    for make, config in ((Consumer, consumer), (Producer, producer)):
        try:
            client = make(dict(config))
        except (KafkaException, TypeError, ValueError) as error:
            said = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            raise SettingsError([f"WORKER_KAFKA__PROPERTIES (or SECRET_): {_without_values(said, config)}"]) from None
        if isinstance(client, Consumer):
            client.close()


def max_poll_interval_seconds(kafka: KafkaSettings) -> float:
    """How long the group waits for a member that does not poll."""
    return float(kafka.properties.get("max.poll.interval.ms", DEFAULT_MAX_POLL_INTERVAL_MS)) / 1000


def event_types(topics: TopicSettings) -> dict[str, EventType | None]:
    """Every source topic, with the type it is configured for; None where it is configured for several."""
    lists: tuple[tuple[EventType, tuple[str, ...]], ...] = (
        ("CheckoutCompleted", topics.checkout_completed),
        ("OrderCancelled", topics.order_cancelled),
        ("CartAbandoned", topics.cart_abandoned),
    )
    types: dict[str, EventType | None] = {}
    for kind, listed in lists:
        for topic in listed:
            types[topic] = kind if topic not in types or types[topic] == kind else None
    return types


def _modern(kafka: KafkaSettings) -> bool:
    return str(kafka.properties.get("group.protocol", "")).lower() == "consumer"


def _reset(kafka: KafkaSettings) -> str:
    return str(kafka.properties.get(RESET, "earliest")).lower()


def _config(
    kafka: KafkaSettings,
    defaults: Mapping[str, Any],
    fixed: Mapping[str, Any],
    log: FilteringBoundLogger,
    trouble: Trouble,
) -> dict[str, Any]:
    return {
        **defaults,
        **kafka.properties,
        **kafka.secret_properties,
        **fixed,
        "bootstrap.servers": kafka.bootstrap_servers,
        "error_cb": trouble,
        "logger": client_logger(log),
    }


def client_logger(log: FilteringBoundLogger) -> logging.Logger:
    """librdkafka's own lines, at debug level: what matters of them comes as errors and answers too."""
    logger = logging.Logger("librdkafka")  # noqa: LOG001 - this worker's own, not the process's
    logger.addHandler(_Forward(log))
    return logger


class _Forward(logging.Handler):
    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.debug(names.LOG_CLIENT, said=record.getMessage())


def _without_values(said: str, config: Mapping[str, Any]) -> str:
    """The client library quotes values, and long ones in part."""
    said = re.sub(r'Invalid value ".*?("(?= for configuration)|$)', "Invalid value (not shown)", said, flags=re.DOTALL)
    for value in sorted((str(v) for v in config.values() if isinstance(v, str)), key=len, reverse=True):
        if len(value) > 3:
            said = said.replace(f'"{value}"', "(not shown)")
    return said
