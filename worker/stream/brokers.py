"""Whether brokers answer: what the client library reports, said seldom, and looked after until it is over."""

from __future__ import annotations

from time import monotonic

from confluent_kafka import Consumer, KafkaError, KafkaException
from structlog.typing import FilteringBoundLogger

from worker.telemetry import names

LOOK_SECONDS = 2.0
ANSWER_SECONDS = 0.5
MEND = "waiting; check WORKER_KAFKA__BOOTSTRAP_SERVERS and what WORKER_KAFKA__PROPERTIES says of security"


class Brokers:
    """Each kind of trouble is logged at most every `repeat_seconds`. `trouble` is called on the library's threads."""

    def __init__(self, log: FilteringBoundLogger, repeat_seconds: float) -> None:
        self.down = False
        self._log = log
        self._repeat_seconds = repeat_seconds
        self._said: dict[str, float] = {}
        self._look_at = 0.0

    def trouble(self, error: KafkaError) -> None:
        """An error that no request stands for: a connection that broke, credentials refused, all brokers down."""
        now = monotonic()
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its public name
            self.down = True
        if now >= self._said.get(error.name(), 0.0):
            self._said[error.name()] = now + self._repeat_seconds
            self._log.warning(names.LOG_BROKERS_DOWN, why=f"{error.str()} ({error.name()})", mend=MEND)

    def look(self, consumer: Consumer) -> None:
        """While they are down, asks now and then whether one answers again. On the consumer's thread."""
        if not self.down or monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LOOK_SECONDS
        try:
            consumer.list_topics(timeout=ANSWER_SECONDS)
        except KafkaException:
            return
        self.down = False
