"""Every race of the demo has one end by the ledger's rules, in whatever order the worker comes to read its records."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from random import Random

import pytest

from infra.demo import script_of
from worker.carts import CalledOff
from worker.decode.decoder import Decoder, InvalidEvent, Tombstone, Undecodable
from worker.demo.fates import Kind
from worker.demo.script import SOURCES, Record, Script
from worker.events import Event, OrderCancelled
from worker.ledger.entries import Ask, CallOff, Done, Origin, Published, Send, Settle
from worker.ledger.page import Page
from worker.mapping import Call, Cancellation, cancel, map_event
from worker.rokt.answers import ItemAnswer
from worker.verdict import Settled

ME = "worker"
JUDGED_BY_ROKT = ("refused", "partly", "failed")


class Ledger:
    """The ledger's rules over an empty ledger, and a Rokt that does all it is asked for at once."""

    def __init__(self) -> None:
        self.page = Page(0, frozenset({ME}), {}, {}, {})
        self.tokens = 0

    def handle(self, event: Event, *, waited: bool) -> list[str] | None:
        """The outcomes of an event: sent, superseded or before; None when it has to wait."""
        match map_event(event):
            case Call() as call:
                return [self.ask(event, call)]
            case Cancellation(items):
                assert isinstance(event, OrderCancelled)
                off = self.page.work(CallOff(event.order_id, items, waited))
                return [self.ask(event, cancel(event, i)) for i in off.items] if isinstance(off, CalledOff) else None
            case _:
                return []

    def ask(self, event: Event, call: Call) -> str:
        self.tokens += 1
        ask = Ask(call, Origin(event.event_id, 0, "", 0, 0, None), ME, self.tokens)
        answer = self.page.work(ask)
        if isinstance(answer, Send):
            done = tuple(ItemAnswer(i.cart_item_id, i.item_reservation_id, None, None, True) for i in answer.items)
            self.page.work(Settle(ask, Settled("succeeded", done, 200, 1)))
        else:
            assert isinstance(answer, Done), answer
        before = isinstance(answer, Done) and answer.entry.published
        self.page.work(Published(call.key))
        return "sent" if isinstance(answer, Send) else "before" if before else "superseded"


async def events_of(script: Script) -> dict[int, Event]:
    decoder = Decoder(dict(zip(SOURCES, ("CheckoutCompleted", "OrderCancelled", "CartAbandoned"), strict=True)), None)
    read = {record.number: await decoder.decode(record.topic, record.value) for record in script.records}
    return {n: event for n, event in read.items() if not isinstance(event, Tombstone | Undecodable | InvalidEvent)}


def read_in_any_order(script: Script, events: dict[int, Event], random: Random) -> dict[int, list[str]]:
    """Handles the records in an order of chance that keeps what the broker and the shop keep.

    That is: within a topic the records of a cart as they were published, and none before its cue.
    """
    ledger, ended = Ledger(), dict[int, list[str]]()
    lines: dict[tuple[str, str], deque[Record]] = defaultdict(deque)
    for record in sorted(script.records, key=lambda record: (record.due, record.number)):
        if record.number in events:
            lines[record.topic, record.key].append(record)
    while any(lines.values()):
        ready = [q for q in lines.values() if q and (q[0].after is None or q[0].after.number in ended)]
        random.shuffle(ready)
        for line, waited in [*((q, False) for q in ready), *((q, True) for q in ready)]:
            outcomes = ledger.handle(events[line[0].number], waited=waited and line[0].fate.kind is not Kind.EARLY)
            if outcomes is not None:
                ended[line.popleft().number] = outcomes
                break
    return ended


@pytest.mark.parametrize("seed", range(6))
def test_every_record_ends_as_its_fate_says_in_whatever_order_it_is_read(seed: int) -> None:
    _, script = script_of(120, seed)
    events = asyncio.run(events_of(script))
    for chance in range(5):
        ended = read_in_any_order(script, events, Random(chance))
        for number in events.keys() - {r.number for r in script.records if r.fate.ending in JUDGED_BY_ROKT}:
            record, outcomes = script.records[number], ended[number]
            told = [outcome for outcome in outcomes if outcome != "before"]
            expected = "superseded" if record.fate.ending == "superseded" else "sent"
            assert told == [expected] * record.fate.outcomes, (record, outcomes)
