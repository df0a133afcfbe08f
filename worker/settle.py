"""The last step: the outcome and the dead letter, each acknowledged by the broker before the offset counts as done.

A record that cannot be written is written again, without end: the event stays unsettled, its offset uncommitted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opentelemetry.trace import Span

from worker import telling
from worker.errors import DeliveryFailed, RegistryUnavailable
from worker.ledger.entries import Entry
from worker.stream import dead_letters
from worker.stream.outcomes import OutcomeFormat
from worker.stream.publisher import Publisher
from worker.surroundings import Surroundings
from worker.telemetry import names
from worker.telemetry.tracing import written
from worker.verdict import Death
from worker.work import Work


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where settlements go, and in whose name."""

    outcomes: str
    dead_letter_suffix: str
    group: str


class Settlement:
    """Writes outcomes and dead letters until they are acknowledged."""

    def __init__(
        self, publisher: Publisher, outcomes: OutcomeFormat, destinations: Destinations, around: Surroundings
    ) -> None:
        self._publisher = publisher
        self._outcomes = outcomes
        self._to = destinations
        self._around = around

    async def outcome(self, work: Work, entry: Entry) -> None:
        """Writes the outcome of a settled call; its key is the cart, or the order where a cancel names no cart."""
        key = entry.cart_id or entry.order_id
        tracing = self._around.tracing

        async def write(brief: bool) -> None:
            value = await self._outcomes.encode(entry, brief=brief)
            with tracing.send(work.span, self._to.outcomes) as sending:
                headers = tracing.carried(sending, work.record.headers)
                place = await self._publisher.publish(
                    self._to.outcomes, key=key.encode() if key else None, value=value, headers=headers
                )
                written(sending, *place)

        if await self._until_written(work, write, self._to.outcomes):
            self._around.log.error(names.LOG_OUTCOME_TRIMMED, topic=self._to.outcomes, idempotency_key=entry.key)

    async def dead_letter(self, work: Work, death: Death, failing: Span) -> None:
        """Writes the original record with the reason; `failing` is the span of the attempt that failed."""
        record = work.record
        topic = record.topic + self._to.dead_letter_suffix
        failed_at = self._around.now()
        tracing = self._around.tracing
        trace = tracing.kafka_headers(failing)

        async def write(brief: bool) -> None:
            headers = dead_letters.headers(
                record,
                death,
                group=self._to.group,
                failed_at=failed_at,
                redrives=work.redrives,
                trace=trace,
                brief=brief,
            )
            with tracing.send(work.span, topic, about=failing) as sending:
                place = await self._publisher.publish(
                    topic, key=record.key, value=record.value, headers=headers, timestamp_ms=record.timestamp_ms
                )
                written(sending, *place)

        await self._until_written(work, write, topic)
        work.came("dead-lettered")
        work.deaths.append(death)
        work.span.set_attribute(names.ROKT_REASON, death.reason)
        self._around.meters.dead_letters.add((record.topic, death.reason))

    async def _until_written(self, work: Work, write: Callable[[bool], Awaitable[None]], topic: str) -> bool:
        """Writes, again and again if need be. True when only the brief form fitted the topic's size limit."""
        tries, brief = 0, False
        work.waits_for = f"the broker to acknowledge {topic}"
        clock, took = self._around.clock, self._around.meters.send
        first = clock()
        while True:
            began = clock()
            try:
                await write(brief)
                took.record((topic, ""), clock() - began)
                if tries:
                    telling.waited(work, self._around, "broker", clock() - first, detail=topic)
                return brief
            except (DeliveryFailed, RegistryUnavailable) as error:
                took.record((topic, type(error).__name__), clock() - began)
                if isinstance(error, DeliveryFailed) and error.fatal:
                    raise
                if isinstance(error, DeliveryFailed) and error.too_large and not brief:
                    brief = True
                    continue
                tries += 1
                wait = self._around.wait(tries)
                doubled = tries & (tries - 1) == 0
                (self._around.log.warning if doubled else self._around.log.debug)(
                    names.LOG_WRITE_WAITING, topic=topic, tries=tries, why=str(error), next_try_seconds=round(wait, 3)
                )
                await work.stop.sleep(wait, finish=True)
