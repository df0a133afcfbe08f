"""One call, from the ledger's leave to its outcome: decide, call, settle.

The ledger is told before anybody else: first that the call is ours to make, then what became of it; then the dead
letter and the outcome are written, and the ledger notes that they are. A crash between two steps repeats only the
later ones.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace
from opentelemetry.trace import Span

from worker import telling
from worker.events import Event, milliseconds
from worker.gate.gate import Gate
from worker.gate.turn import Turn
from worker.keys import again
from worker.ledger.entries import Answer as LedgerAnswer
from worker.ledger.entries import Ask, Disputed, Done, Entry, Origin, Send, Wait
from worker.ledger.ledger import Ledger
from worker.mapping import Call, reduced
from worker.retry import Backoff
from worker.rokt.answers import Conflict, Denied, Refused
from worker.rokt.client import RoktClient
from worker.settle import Settlement
from worker.surroundings import Surroundings
from worker.telemetry import names
from worker.telemetry.tracing import span_id
from worker.verdict import Death, History, Settled, TryAgain, judge
from worker.work import Work

LOOK_AGAIN = Backoff(0.05, 1.0)
LEASE_LOOK_SECONDS = 0.1
LOST = float("-inf")


class Calling:
    """Makes the calls that the ledger gives leave for, and settles them. Keeps nothing of any."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        client: RoktClient,
        gate: Gate,
        settlement: Settlement,
        attempt_seconds: float,
        around: Surroundings,
    ) -> None:
        """`attempt_seconds` is the longest that one attempt can last."""
        self._ledger = ledger
        self._client = client
        self._gate = gate
        self._settlement = settlement
        self._attempt_seconds = attempt_seconds
        self._around = around

    async def carry_out(self, work: Work, event: Event, call: Call) -> None:
        """Returns when the call is settled, by us or before, and its outcome is written. Raises Abandoned."""
        origin = _origin(work, event)
        looks, began, what = 0, self._around.clock(), ""
        while True:
            work.waits_for = "the ledger"
            asked, answer = self._ledger.ask(call, origin, work.redo)
            answered = await self._answer(work, asked, answer)
            self._around.meters.ledger_answers.add((_said(answered),))
            if looks and not isinstance(answered, Wait):
                seconds = self._around.clock() - began
                telling.waited(work, self._around, "ledger", seconds, operation=call.operation, detail=what)
                looks = 0
            match answered:
                case Wait(what):
                    looks += 1
                    work.waits_for = what
                    await work.stop.sleep(LOOK_AGAIN.ceiling(looks))
                case Disputed(entry):
                    telling.done_before(work, entry.origin)
                    await self._dispute(work, call, entry)
                    return
                case Done() as done:
                    telling.done_before(work, done.entry.origin)
                    await self._settled_before(work, call, asked, done)
                    if done.entry.published or work.redo is None:
                        return
                case Send() as send:
                    telling.done_before(work, send.before)
                    sent = replace(reduced(event, call, send.items), key=again(call.key, send.redo))
                    made = await self._make(work, sent, asked, send)
                    if made is not None and await self._settle(work, asked, send.redo, *made):
                        work.calls += 1
                        return

    async def _answer(self, work: Work, asked: Ask, answer: asyncio.Future[LedgerAnswer]) -> LedgerAnswer:
        try:
            return await work.stop.wait(answer)
        except BaseException:
            self._ledger.forget(asked, answer)
            raise

    async def _make(self, work: Work, call: Call, asked: Ask, send: Send) -> tuple[Settled, Span] | None:
        """Makes attempts until one settles the call; also gives that attempt's span. None: it is not ours any more."""
        history = History(send.attempts, send.maybe_sent)
        turn = Turn(call.operation, call.cart_id or call.order_id or call.key)
        at_risk = history
        try:
            while True:
                work.waits_for = "its turn to call Rokt"
                async with self._gate.turn(turn, work.stop, finish=history.maybe_applied):
                    self._let_go(work, call, turn)
                    if not await self._sure(work, asked, history):
                        self._ledger.give_back(asked, history.attempts, maybe_sent=history.maybe_applied)
                        return None
                    work.waits_for = "Rokt's answer"
                    at_risk = History(history.attempts + 1, maybe_applied=True)
                    began = self._around.clock()
                    answer, attempt = await self._client.attempt(call, history.attempts, work.span)
                    turn.answer = answer
                    seconds = self._around.clock() - began
                    path = self._client.path(call.operation)
                    telling.attempted(self._around, call.operation, path, answer, seconds)
                verdict = judge(call, answer, history, turn.standing)
                if isinstance(verdict, Settled):
                    rejected = verdict.death is not None and isinstance(answer, Refused | Conflict | Denied)
                    self._gate.settled(turn, rejected=rejected)
                    return verdict, attempt
                at_risk = history = history.after(answer)
                await self._back_off(work, call, verdict, history)
        except BaseException:
            self._ledger.give_back(asked, at_risk.attempts, maybe_sent=at_risk.maybe_applied)
            raise

    async def _settle(self, work: Work, asked: Ask, redo: int, settled: Settled, attempt: Span) -> bool:
        """The ledger, then the topics. False when another worker has it, or settled it: then it is theirs to write."""
        if settled.unread:
            key = asked.call.key
            self._around.log.warning(names.LOG_UNREAD, **work.place, idempotency_key=key, why=settled.unread)
        work.waits_for = "the ledger"
        try:
            entry = await self._ledger.settle(asked, settled, redo)
        except BaseException:
            self._ledger.give_back(asked, settled.attempts, maybe_sent=True)
            raise
        if entry.status is None or entry.owner != asked.owner:
            return False
        await self._publish_or_give_back(work, asked, entry, attempt)
        return True

    async def _sure(self, work: Work, asked: Ask, history: History) -> bool:
        """Waits while the lease is too short for an attempt. False when it ran out: the call may be another's now."""
        while (held := self._ledger.held(asked)) < self._attempt_seconds:
            if held == LOST:
                return False
            work.waits_for = "the ledger, to renew the lease"
            await work.stop.sleep(LEASE_LOOK_SECONDS, finish=history.maybe_applied)
        return True

    async def _back_off(self, work: Work, call: Call, verdict: TryAgain, history: History) -> None:
        """Waits; where the gate is shut for such calls, it is the gate that makes them wait."""
        wait = 0.0 if self._gate.shut_for(call.operation) else self._around.wait(history.attempts)
        first_or_doubled = history.attempts & (history.attempts - 1) == 0
        log = self._around.log
        (log.warning if first_or_doubled else log.debug)(
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
            telling.waited(work, self._around, "backoff", wait, operation=call.operation, detail=verdict.why)

    def _let_go(self, work: Work, call: Call, turn: Turn) -> None:
        """The gate has let it through; what it waited for, if it had to."""
        if turn.held_by is not None:
            seconds = self._around.clock() - turn.came_at
            telling.waited(work, self._around, turn.held_by, seconds, operation=call.operation)

    async def _settled_before(self, work: Work, call: Call, asked: Ask, done: Done) -> None:
        """Nothing is called; what was settled and not published, by a crash between the two, is published now."""
        entry = done.entry
        if done.other_body:
            self._around.log.error(names.LOG_LEDGER_OTHER_BODY, **work.place, idempotency_key=call.key)
        if entry.published:
            work.came("settled before")
            work.settled.append(entry)
            work.span.set_attribute(names.ROKT_STATUS, entry.status or "")
            work.span.set_attribute(names.ROKT_BEFORE, True)
        else:
            await self._publish_or_give_back(work, asked, entry, work.span, done.why)

    async def _dispute(self, work: Work, call: Call, entry: Entry) -> None:
        message = "a call with the same key and another body was begun, and what became of it is not known"
        self._around.log.error(names.LOG_LEDGER_OTHER_BODY, **work.place, idempotency_key=call.key)
        death = Death("unknown-outcome", message, attempts=entry.attempts, operation=call.operation, key=entry.sent_key)
        await self._settlement.dead_letter(work, death, work.span)

    async def _publish_or_give_back(self, work: Work, asked: Ask, entry: Entry, attempt: Span, why: str = "") -> None:
        """An outcome that is not written here, since this worker stops, is for whoever has the event next."""
        try:
            await self._publish(work, asked, entry, attempt, why)
        except BaseException:
            self._ledger.give_back(asked, entry.attempts, maybe_sent=True)
            raise

    async def _publish(self, work: Work, asked: Ask, entry: Entry, attempt: Span, why: str = "") -> None:
        """Dead letter before outcome, so that whoever sees the outcome finds the letter."""
        work.span.set_attribute(names.ROKT_STATUS, entry.status or "")
        if entry.death is not None:
            await self._settlement.dead_letter(work, entry.death, attempt)
        await self._settlement.outcome(work, entry)
        work.waits_for = "the ledger"
        still_ours = self._ledger.held(asked) > 0
        await self._ledger.published(entry.key, None if still_ours else entry.settled_at_ms)
        work.came("superseded" if entry.status == "superseded" else "succeeded")
        work.settled.append(entry)
        work.why = why or work.why
        self._around.meters.calls.add((entry.operation, entry.status or ""))


def _origin(work: Work, event: Event) -> Origin:
    record, at = work.record, milliseconds(event.occurred_at)
    place = (record.topic, record.partition, record.offset)
    return Origin(event.event_id, at, *place, work.trace_id, span_id(work.span))


def _said(answer: LedgerAnswer) -> str:
    """What the ledger answered, in a word."""
    match answer:
        case Send():
            return "send"
        case Wait():
            return "wait"
        case Disputed():
            return "disputed"
        case Done(entry):
            return "settled before" if entry.published or entry.status != "superseded" else "superseded"
