"""The way of one event: decode, take its turn, map, decide, call, settle.

`Dispatcher` (worker/dispatch.py) has a record decoded, finds its turn among the events of its cart, and then has
it settled, which reads the steps in order; those of a call are in worker/calling.py. When `settle` returns None, every
call of the event has an outcome or a dead letter that the broker acknowledged. When it raises, nothing of it may be
committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import INVALID_SPAN, Span

from worker import telling
from worker.calling import LOOK_AGAIN, Calling
from worker.decode.decoder import Decoded, Decoder, InvalidEvent, Tombstone, Undecodable
from worker.errors import Abandoned, RegistryUnavailable
from worker.events import CartAbandoned, CheckoutCompleted, Event, OrderCancelled
from worker.ledger.entries import REDONE, Before, CallOff, Wait
from worker.ledger.ledger import Ledger
from worker.mapping import Call, Cancellation, NothingToDo, call_key, cancel, fingerprint, map_event
from worker.settle import Settlement
from worker.surroundings import Surroundings
from worker.telemetry import names
from worker.telemetry.tracing import Attribute, Source, failed, waited
from worker.verdict import NAMED_IN_MESSAGE, Death
from worker.work import Work

LEFT: Final = "left uncommitted"


@dataclass(frozen=True, slots=True)
class Later:
    """The event cannot go on; others of its cart may go ahead for so many seconds."""

    seconds: float


class Pipeline:
    """The steps and what they need. One instance serves every event; it keeps nothing of any."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        ledger: Ledger,
        calling: Calling,
        settlement: Settlement,
        cancel_wait_seconds: float,
        confirms_wait: Callable[[], bool],
        around: Surroundings,
    ) -> None:
        """`cancel_wait_seconds`: how long a cancel that comes before its confirm waits for it.

        `confirms_wait`: whether confirms are held up at present; that time does not count.
        """
        self._decoder = decoder
        self._ledger = ledger
        self._calling = calling
        self._settlement = settlement
        self._cancel_wait_seconds = cancel_wait_seconds
        self._confirms_wait = confirms_wait
        self._around = around

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
                wait = self._around.wait(tries)
                work.queued_for = "registry"
                self._around.log.warning(
                    names.LOG_REGISTRY_WAITING,
                    **work.place,
                    tries=tries,
                    why=str(error),
                    next_try_seconds=round(wait, 3),
                    mend="bring the registry up, or mend WORKER_REGISTRY__URL and its credentials",
                )
                await work.stop.sleep(wait)

    async def settled_before(self, works: Sequence[Work]) -> set[int]:
        """The offsets of those whose one call is settled and published, so nothing is left to do. Raises Abandoned."""
        keys = {work.record.offset: key for work in works if (key := _one_key(work)) is not None}
        if not keys:
            return set()
        known = asyncio.ensure_future(self._ledger.settled([*keys.values()]))
        settled = await works[0].stop.wait(known)
        before: set[int] = set()
        for work in works:
            key = keys.get(work.record.offset)
            if key is not None and _stays(work, settled.get(key)):
                before.add(work.record.offset)
                work.came("settled before")
                self._around.meters.ledger_answers.add(("settled before",))
                self._around.log.debug(names.LOG_SETTLED_BEFORE, **work.place, idempotency_key=key)
        return before

    async def settle(self, work: Work) -> Later | None:
        """Settles a record whose turn it is, and ends its span; or says when to come back. Raises Abandoned."""
        if work.span is INVALID_SPAN:
            work.span = self._process_span(work)
        try:
            later = await self._steps(work)
        except BaseException as error:
            if isinstance(error, Abandoned | asyncio.CancelledError):
                work.span.set_attribute(names.ROKT_FATE, LEFT)
            else:
                failed(work.span, type(error).__name__)
            work.span.end()
            raise
        if later is None:
            telling.settled(work, self._around)
            work.span.end()
        return later

    async def _steps(self, work: Work) -> Later | None:
        match work.decoded:
            case Tombstone():
                self._skip(work, "a tombstone")
            case Undecodable(message, exception):
                await self._settlement.dead_letter(work, Death("undecodable", message, exception), work.span)
            case InvalidEvent(message, exception):
                await self._settlement.dead_letter(work, Death("invalid", message, exception), work.span)
            case event:
                return await self._carry_out(work, event)
        return None

    async def _carry_out(self, work: Work, event: Event) -> Later | None:
        match map_event(event):
            case NothingToDo(why):
                self._skip(work, why)
            case Call() as call:
                work.span.set_attribute(names.ROKT_KEY, call.key)
                await self._calling.carry_out(work, event, call)
            case Cancellation() as cancellation:
                assert isinstance(event, OrderCancelled)
                return await self._cancel(work, event, cancellation)
        return None

    async def _cancel(self, work: Work, event: OrderCancelled, wanted: Cancellation) -> Later | None:
        """Finds out what is to be cancelled, once its confirm has come or has had its time, and cancels it."""
        now = self._around.clock()
        work.asked_at = work.asked_at or now
        if work.patient_until is None or self._confirms_wait():
            work.patient_until = now + self._cancel_wait_seconds
        work.waits_for = "the ledger"
        request = CallOff(event.order_id, wanted.items, waited=now >= work.patient_until)
        called_off = await work.stop.wait(self._ledger.call_off(request))
        if isinstance(called_off, Wait):
            work.looks += 1
            work.waits_for = called_off.what
            return Later(LOOK_AGAIN.ceiling(work.looks))
        if work.looks:
            telling.waited(work, self._around, "confirm", now - work.asked_at)
        calls = [cancel(event, item) for item in called_off.items]
        if len(calls) == 1:
            work.span.set_attribute(names.ROKT_KEY, calls[0].key)
        for call in calls:
            await self._calling.carry_out(work, event, call)
        if called_off.unresolved or not called_off.items:
            named = ", ".join(item.cart_item_id or "?" for item in called_off.unresolved[:NAMED_IN_MESSAGE])
            why = (
                f"{len(called_off.unresolved)} items name no reservation, and theirs is not known: {named}"
                if called_off.unresolved
                else "the event names no item, and of this order none is known to be confirmed"
            )
            death = Death("nothing-to-cancel", why, operation="cancel")
            await self._settlement.dead_letter(work, death, work.span)
        return None

    def _skip(self, work: Work, why: str) -> None:
        work.span.set_attribute(names.ROKT_STATUS, "skipped")
        work.why = why

    def _process_span(self, work: Work) -> Span:
        record = work.record
        size = None if record.value is None else len(record.value)
        seconds = self._around.clock() - work.read_at
        place = (record.topic, record.partition, record.offset)
        about = {} if work.event is None else _described(work, work.event)
        source = Source(*place, record.headers, size, work.failing, about, seconds=seconds, redrives=work.redrives)
        span = self._around.tracing.process(source)
        waited(span, work.queued_for, seconds)
        return span


def _one_key(work: Work) -> str | None:
    """The key of the one call that an event asks for; None where that is for the ledger to say, or it asks for none."""
    match work.decoded:
        case CheckoutCompleted() | CartAbandoned() as event:
            return call_key(event)
        case _:
            return None


def _stays(work: Work, before: Before | None) -> bool:
    """Whether there is nothing left to be done about a call."""
    match work.decoded:
        case CheckoutCompleted() | CartAbandoned() as event if before is not None:
            same = before.fingerprint == fingerprint(event)
            return same and (work.redo is None or before.status not in REDONE)
        case _:
            return False


def _described(work: Work, event: Event) -> dict[str, Attribute]:
    cart_id, order_id = work.ids
    about: dict[str, Attribute] = {names.EVENT_ID: event.event_id, names.EVENT_TYPE: type(event).__name__}
    if cart_id:
        about[names.ROKT_CART] = cart_id
    if order_id:
        about[names.ROKT_ORDER] = order_id
    return about
