"""The way of one event: decode, map, call, settle. `handle` reads them in order.

When it returns, the event is settled: every call of it has an outcome or a dead letter that the broker acknowledged,
and its offset may be committed. When it raises, nothing may be.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from opentelemetry.trace import Span
from structlog.typing import FilteringBoundLogger

from worker.decode.decoder import Decoded, Decoder, InvalidEvent, Tombstone, Undecodable
from worker.errors import RegistryUnavailable
from worker.events import CartAbandoned, Event
from worker.gate import Credentials, Gate, Turn
from worker.mapping import Call, Calls, NothingToCancel, NothingToDo, map_event
from worker.retry import Backoff, Chance
from worker.rokt.answers import Answer, Denied, Failed, Throttled
from worker.rokt.client import RoktClient
from worker.settle import Settlement
from worker.stopping import Stop
from worker.stream.outcomes import Outcome
from worker.stream.records import Record
from worker.telemetry import names
from worker.telemetry.tracing import Source, Tracing, trace_id
from worker.verdict import Death, History, Settled, TryAgain, judge


class Pipeline:
    """The steps and what they need. One instance serves every lane; it keeps nothing of an event."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        client: RoktClient,
        gate: Gate,
        settlement: Settlement,
        tracing: Tracing,
        backoff: Backoff,
        chance: Chance,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
    ) -> None:
        self._decoder = decoder
        self._client = client
        self._gate = gate
        self._settlement = settlement
        self._tracing = tracing
        self._backoff = backoff
        self._chance = chance
        self._now = now
        self._log = log

    async def handle(self, record: Record, stop: Stop) -> None:
        """Settles one record. Raises Abandoned when it was told to stop first."""
        size = None if record.value is None else len(record.value)
        with self._tracing.process(Source(record.topic, record.partition, record.offset, record.headers, size)) as span:
            event = await self._decode(record, stop)
            match event:
                case Tombstone():
                    self._skip(record, span, "a tombstone")
                    return
                case Undecodable(message, exception):
                    await self._bury(record, Death("undecodable", message, exception), span, span, stop)
                    return
                case InvalidEvent(message, exception):
                    await self._bury(record, Death("invalid", message, exception), span, span, stop)
                    return
            _describe(span, event)
            match map_event(event):
                case NothingToDo(why):
                    self._skip(record, span, why)
                case NothingToCancel(why):
                    await self._bury(record, Death("nothing-to-cancel", why, operation="cancel"), span, span, stop)
                case Calls() as asked:
                    await self._carry_out(record, event, asked, span, stop)

    async def _decode(self, record: Record, stop: Stop) -> Decoded:
        """Decodes, waiting for as long as the registry cannot be asked: that is not the record's fault."""
        tries = 0
        while True:
            try:
                return await self._decoder.decode(record.topic, record.value)
            except RegistryUnavailable as error:
                tries += 1
                wait = self._backoff.delay(tries, self._chance)
                self._log.warning(
                    names.LOG_REGISTRY_WAITING,
                    **_place(record),
                    tries=tries,
                    why=str(error),
                    next_try_seconds=round(wait, 3),
                    mend="bring the registry up, or mend WORKER_REGISTRY__URL and its credentials",
                )
                await stop.sleep(wait)

    async def _carry_out(self, record: Record, event: Event, asked: Calls, span: Span, stop: Stop) -> None:
        if len(asked.calls) == 1:
            span.set_attribute(names.ROKT_KEY, asked.calls[0].key)
        for call in asked.calls:
            settled, attempt = await self._call(call, span, stop)
            await self._settle(record, event, call, settled, span, attempt, stop)
        if asked.unresolved:
            named = ", ".join(item.cart_item_id or "?" for item in asked.unresolved[:20])
            why = f"{len(asked.unresolved)} items name no reservation, and theirs is not known: {named}"
            await self._bury(record, Death("nothing-to-cancel", why, operation="cancel"), span, span, stop)

    async def _call(self, call: Call, span: Span, stop: Stop) -> tuple[Settled, Span]:
        """Makes attempts until one settles the call; also gives back that attempt's span."""
        history, turn = History(), Turn()
        while True:
            async with self._gate.turn(turn, stop, finish=history.maybe_applied):
                answer, attempt = await self._client.attempt(call, history.attempts, span)
                turn.credentials = _credentials(answer)
            verdict = judge(call, answer, history, refused_alone=self._gate.about_this_call(turn))
            if isinstance(verdict, Settled):
                return verdict, attempt
            history = history.after(answer)
            await self._back_off(call, verdict, history, span, stop, waits_at_gate=isinstance(answer, Denied))

    async def _back_off(
        self, call: Call, verdict: TryAgain, history: History, span: Span, stop: Stop, *, waits_at_gate: bool
    ) -> None:
        if verdict.retry_after is not None:
            self._gate.hold_back(verdict.retry_after)
        wait = 0.0 if waits_at_gate else self._backoff.delay(history.attempts, self._chance)
        first_or_doubled = history.attempts & (history.attempts - 1) == 0
        (self._log.warning if first_or_doubled else self._log.debug)(
            names.LOG_RETRY,
            operation=call.operation,
            cart_id=call.cart_id,
            order_id=call.order_id,
            idempotency_key=call.key,
            attempts=history.attempts,
            why=verdict.why,
            next_try_seconds=round(max(wait, verdict.retry_after or 0.0), 3),
            trace_id=trace_id(span),
        )
        if wait:
            await stop.sleep(wait, finish=history.maybe_applied)

    async def _settle(
        self, record: Record, event: Event, call: Call, settled: Settled, span: Span, attempt: Span, stop: Stop
    ) -> None:
        """Dead letter before outcome, so that whoever sees the outcome finds the letter."""
        span.set_attribute(names.ROKT_STATUS, settled.status)
        if settled.unread:
            self._log.warning(names.LOG_UNREAD, **_place(record), idempotency_key=call.key, why=settled.unread)
        if settled.death is not None:
            await self._bury(record, settled.death, span, attempt, stop)
        outcome = Outcome(record, event, call, settled, trace_id(span), self._now())
        await self._settlement.outcome(outcome, span, stop)
        (self._log.info if settled.death is None else self._log.warning)(
            names.LOG_SETTLED,
            **_place(record),
            operation=call.operation,
            status=settled.status,
            cart_id=call.cart_id,
            order_id=call.order_id,
            idempotency_key=call.key,
            attempts=settled.attempts,
            http_status=settled.http_status,
            trace_id=trace_id(span),
        )

    async def _bury(self, record: Record, death: Death, span: Span, failing: Span, stop: Stop) -> None:
        span.set_attribute(names.ROKT_REASON, death.reason)
        await self._settlement.dead_letter(record, death, span, failing, stop)
        self._log.warning(
            names.LOG_DEAD_LETTER,
            **_place(record),
            reason=death.reason,
            message=death.message,
            trace_id=trace_id(span),
        )

    def _skip(self, record: Record, span: Span, why: str) -> None:
        span.set_attribute(names.ROKT_STATUS, "skipped")
        self._log.info(names.LOG_SKIPPED, **_place(record), why=why, trace_id=trace_id(span))


def _credentials(answer: Answer) -> Credentials:
    match answer:
        case Denied():
            return "refused"
        case Throttled() | Failed():
            return "unknown"
        case _:
            return "taken"


def _describe(span: Span, event: Event) -> None:
    span.set_attribute(names.EVENT_ID, event.event_id)
    span.set_attribute(names.EVENT_TYPE, type(event).__name__)
    if event.cart_id:
        span.set_attribute(names.ROKT_CART, event.cart_id)
    if not isinstance(event, CartAbandoned):
        span.set_attribute(names.ROKT_ORDER, event.order_id)


def _place(record: Record) -> dict[str, str | int]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
