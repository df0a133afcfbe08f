"""The way of one event: decode, take its turn, map, call, settle.

`Dispatcher` (worker/dispatch.py) has a record decoded, finds its turn among the events of its cart, and then has
it settled, which reads the steps in order. When `settle` returns, every call of the event has an outcome or a dead
letter that the broker acknowledged. When it raises, nothing of it may be committed.
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
from worker.stream.outcomes import Outcome
from worker.telemetry import names
from worker.telemetry.tracing import Source, Tracing, ended
from worker.verdict import Death, History, Settled, TryAgain, judge
from worker.work import Work


class Pipeline:
    """The steps and what they need. One instance serves every event; it keeps nothing of any."""

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

    async def decode(self, work: Work) -> Decoded:
        """What the record holds; waits for as long as the registry cannot be asked: that is not the record's fault.

        Raises Abandoned when it was told to stop first.
        """
        if work.record.unreadable:
            return Undecodable(work.record.unreadable)
        tries = 0
        while True:
            try:
                return await self._decoder.decode(work.record.topic, work.record.value)
            except RegistryUnavailable as error:
                tries += 1
                wait = self._backoff.delay(tries, self._chance)
                self._log.warning(
                    names.LOG_REGISTRY_WAITING,
                    **work.place,
                    tries=tries,
                    why=str(error),
                    next_try_seconds=round(wait, 3),
                    mend="bring the registry up, or mend WORKER_REGISTRY__URL and its credentials",
                )
                await work.stop.sleep(wait)

    async def settle(self, work: Work) -> None:
        """Maps, calls and settles a decoded record, whose turn it is; ends its span. Raises Abandoned."""
        record = work.record
        size = None if record.value is None else len(record.value)
        source = Source(record.topic, record.partition, record.offset, record.headers, size)
        with ended(self._tracing.process(source)) as work.span:
            match work.decoded:
                case Tombstone():
                    self._skip(work, "a tombstone")
                case Undecodable(message, exception):
                    await self._bury(work, Death("undecodable", message, exception), work.span)
                case InvalidEvent(message, exception):
                    await self._bury(work, Death("invalid", message, exception), work.span)
                case event:
                    _describe(work.span, event)
                    await self._carry_out(work, event)

    async def _carry_out(self, work: Work, event: Event) -> None:
        match map_event(event):
            case NothingToDo(why):
                self._skip(work, why)
            case NothingToCancel(why):
                await self._bury(work, Death("nothing-to-cancel", why, operation="cancel"), work.span)
            case Calls(calls, unresolved):
                if len(calls) == 1:
                    work.span.set_attribute(names.ROKT_KEY, calls[0].key)
                for call in calls:
                    settled, attempt = await self._call(work, call)
                    await self._settle(work, event, call, settled, attempt)
                if unresolved:
                    named = ", ".join(item.cart_item_id or "?" for item in unresolved[:20])
                    why = f"{len(unresolved)} items name no reservation, and theirs is not known: {named}"
                    await self._bury(work, Death("nothing-to-cancel", why, operation="cancel"), work.span)

    async def _call(self, work: Work, call: Call) -> tuple[Settled, Span]:
        """Makes attempts until one settles the call; also gives back that attempt's span."""
        history, turn = History(), Turn()
        while True:
            work.waits_for = "its turn to call Rokt"
            async with self._gate.turn(turn, work.stop, finish=history.maybe_applied):
                work.waits_for = "Rokt's answer"
                answer, attempt = await self._client.attempt(call, history.attempts, work.span)
                turn.credentials = _credentials(answer)
            verdict = judge(call, answer, history, refused_alone=self._gate.about_this_call(turn))
            if isinstance(verdict, Settled):
                return verdict, attempt
            history = history.after(answer)
            await self._back_off(work, call, verdict, history, waits_at_gate=isinstance(answer, Denied))

    async def _back_off(
        self, work: Work, call: Call, verdict: TryAgain, history: History, *, waits_at_gate: bool
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
            trace_id=work.trace_id,
        )
        if wait:
            work.waits_for = f"its next attempt at a call, after {history.attempts} ({verdict.why})"
            await work.stop.sleep(wait, finish=history.maybe_applied)

    async def _settle(self, work: Work, event: Event, call: Call, settled: Settled, attempt: Span) -> None:
        """Dead letter before outcome, so that whoever sees the outcome finds the letter."""
        work.span.set_attribute(names.ROKT_STATUS, settled.status)
        if settled.unread:
            self._log.warning(names.LOG_UNREAD, **work.place, idempotency_key=call.key, why=settled.unread)
        if settled.death is not None:
            await self._bury(work, settled.death, attempt)
        await self._settlement.outcome(work, Outcome(work.record, event, call, settled, work.trace_id, self._now()))
        (self._log.info if settled.death is None else self._log.warning)(
            names.LOG_SETTLED,
            **work.place,
            operation=call.operation,
            status=settled.status,
            cart_id=call.cart_id,
            order_id=call.order_id,
            idempotency_key=call.key,
            attempts=settled.attempts,
            http_status=settled.http_status,
            trace_id=work.trace_id,
        )

    async def _bury(self, work: Work, death: Death, failing: Span) -> None:
        work.span.set_attribute(names.ROKT_REASON, death.reason)
        await self._settlement.dead_letter(work, death, failing)
        self._log.warning(
            names.LOG_DEAD_LETTER, **work.place, reason=death.reason, message=death.message, trace_id=work.trace_id
        )

    def _skip(self, work: Work, why: str) -> None:
        work.span.set_attribute(names.ROKT_STATUS, "skipped")
        self._log.info(names.LOG_SKIPPED, **work.place, why=why, trace_id=work.trace_id)


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
