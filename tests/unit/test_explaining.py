"""What is told of a story: its lines, its open ends, and the records that belong to it."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from msgspec.structs import replace

from infra.events import cancelled as cancel_event
from infra.events import completed, encoded, reservation
from infra.ledger_clerk import ORIGIN, Clerk, cancelled, confirm, item, release, settled
from infra.memory_ledger import MemoryStore, Shelf
from worker.commands.explain import shown
from worker.commands.speaking import Speech
from worker.decode.decoder import Decoder
from worker.explain import finding, matching
from worker.explain.document import document, linked
from worker.explain.finding import Finder
from worker.explain.happenings import from_ledger, in_time_order
from worker.explain.screen import sections
from worker.explain.story import Story
from worker.explain.waits import waits
from worker.keys import again
from worker.ledger.entries import Redo
from worker.mapping import CallItem
from worker.record import Record
from worker.rokt.answers import ItemAnswer
from worker.verdict import Death, Settled

NOW = 1_800_000_000_000
CALL = confirm("order-1", "r-1", "r-2", cart="cart-1")


class Scene:
    """A ledger in memory, on a clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = NOW
        self.store = MemoryStore(Shelf(self.tick))
        self.back_to: list[int] = []

    def tick(self) -> int:
        self.now += 1
        return self.now

    async def anna(self) -> Clerk:
        return await Clerk(self.store, "anna").begin()

    async def story(self, id_: str, since_ms: int | None = None) -> Story:
        return await Finder(self.store, since_ms=since_ms, progress=self.back_to.append).find(id_)


def test_a_call_that_was_made_again_is_found_by_each_of_its_keys() -> None:
    async def play(id_: str) -> Story:
        scene = Scene()
        anna = await scene.anna()
        await anna.do(CALL, "rejected")
        ask = replace(anna.question(CALL), redo=Redo(CALL.key))
        await anna.put(ask)
        await anna.settle(ask, redo=1)
        await anna.publish(CALL)
        return await scene.story(id_)

    for key in (CALL.key, again(CALL.key, 1)):
        story = asyncio.run(play(key))
        assert story.kinds == ("key",)
        [begun] = [each for each in from_ledger(story) if each.what == "call"]
        assert begun.text.startswith("confirm begun again, after 1 rejection")
        assert begun.key == again(CALL.key, 1)
        [call] = document(story, [], None, None)["calls"]
        assert call["earlierKeys"] == [CALL.key]


def test_a_retry_is_one_call_with_its_attempts_and_a_cancel_without_a_cart_belongs_to_the_story() -> None:
    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        first = anna.question(CALL)
        await anna.put(first)
        await anna.give_back(first, 1, maybe_sent=True)
        second = anna.question(CALL)
        await anna.put(second)
        await anna.settle(second, settled(CALL, attempts=2))
        await anna.publish(CALL)
        await anna.call_off("order-1", item("r-1"))
        await anna.do(cancelled("order-1", "r-1"))
        await anna.do(confirm("order-2", "r-3"))
        return await scene.story("cart-1")

    story = asyncio.run(play())
    assert story.kinds == ("cart",)
    assert [(c.operation, c.status, c.attempts) for c in story.calls] == [
        ("confirm", "succeeded", 2),
        ("cancel", "succeeded", 1),
    ]
    assert story.named == {CALL.key}
    assert {id_: r.state for id_, r in story.reservations.items()} == {"r-1": "cancelled", "r-2": "confirmed"}
    assert waits(story) == []
    told = in_time_order(from_ledger(story))
    assert [each.what for each in told] == ["event", "call", "settled", "call", "settled"]
    assert told[2].text.startswith("confirm succeeded, HTTP 200, 2 attempts: item item of r-1 reservation r-1 done")


def test_a_reservation_finds_its_call_before_that_is_settled() -> None:
    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        await scene.store.work([anna.question(CALL), anna.question(confirm("order-2", "r-9"))])
        return await scene.story("r-2")

    story = asyncio.run(play())
    assert story.kinds == ("reservation",)
    assert [call.key for call in story.calls] == [CALL.key]
    [first, second] = waits(story)
    assert "is in flight: worker anna has it since" in first
    assert "waits for" in second


def test_what_a_worker_that_is_gone_left_behind_is_said() -> None:
    async def play() -> list[str]:
        scene = Scene()
        anna = await scene.anna()
        await anna.ask(CALL)
        bert = await Clerk(scene.store, "bert").begin()
        question = bert.question(confirm("order-1", "r-3", cart="cart-1"))
        await bert.put(question)
        await bert.give_back(question, 3, maybe_sent=False)
        await scene.store.retire("anna")
        return waits(await scene.story("order-1"))

    gone, given_back = asyncio.run(play())
    assert "by worker anna, which is gone: whoever reads its event again takes it over." in gone
    assert "may have reached Rokt" in gone
    assert given_back.endswith("was given back after 3 attempts: it waits for its event to be read again.")


def test_an_outcome_that_is_not_written_and_a_confirm_of_unknown_outcome_are_said() -> None:
    death = Death("unknown-outcome", "no answer", attempts=8, operation="confirm", key=CALL.key, http_body="secret")

    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        question = anna.question(CALL)
        await anna.put(question)
        await anna.settle(question, settled(CALL, "dead", attempts=8, death=death))
        return await scene.story(CALL.key)

    story = asyncio.run(play())
    assert story.kinds == ("key",)
    assert waits(story) == [
        f"The outcome and the dead letter of confirm {CALL.key} is not written yet: worker anna is about to write it.",
        f"Whether Rokt did confirm {CALL.key} of order order-1 is not known; a cancel is sent all the same.",
    ]
    assert "secret" not in str(document(story, from_ledger(story), None, None))


def test_what_is_called_off_and_not_cancelled_yet_is_said() -> None:
    async def play() -> list[str]:
        scene = Scene()
        anna = await scene.anna()
        await anna.do(CALL)
        await anna.call_off("order-1", item("r-2"))
        return waits(await scene.story("order-1"))

    assert asyncio.run(play()) == [
        "Reservation r-2 of order order-1 is called off, is confirmed, and its cancel has not succeeded."
    ]


def test_one_id_may_be_several_things_and_all_are_told() -> None:
    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        await anna.do(confirm("7", "7", cart="7"))
        ask = anna.question(confirm("8", "8"), replace(ORIGIN, event_id="7"))
        await anna.put(ask)
        return await scene.story("7")

    story = asyncio.run(play())
    assert story.kinds == ("cart", "order", "reservation", "event")
    assert len(story.calls) == 2


def test_what_is_superseded_is_one_line_that_says_so() -> None:
    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        await anna.do(CALL)
        await anna.do(release("cart-1", "r-1"))
        return await scene.story("r-1")

    texts = [each.text for each in from_ledger(asyncio.run(play()))]
    assert [text for text in texts if text.startswith("release")] == [
        "release superseded, not sent: item item of r-1 reservation r-1 not done"
    ]


def test_a_search_stops_where_it_was_told_to_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "NOTES_A_STEP", 5)

    async def play() -> list[Story]:
        scene = Scene()
        anna = await scene.anna()
        for n in range(30):
            if n == 20:
                scene.now += 1_000_000
            await anna.do(confirm(f"order-{n}", f"r-{n}", cart="cart"))
        return [await scene.story("cart", since) for since in (None, NOW + 1_000_000)]

    whole, recent = asyncio.run(play())
    assert (len(whole.calls), whole.complete) == (30, True)
    assert 10 <= len(recent.calls) <= 15
    assert recent.back_to_ms is not None
    assert recent.back_to_ms < NOW + 1_000_000


def test_a_story_of_too_many_calls_keeps_the_newest_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MAX_CALLS", 10)

    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        for n in range(30):
            await anna.do(confirm(f"order-{n}", f"r-{n}", cart="cart"))
        return await scene.story("cart")

    story = asyncio.run(play())
    assert [call.order_id for call in story.calls] == [f"order-{n}" for n in range(20, 30)]
    assert not story.complete


def test_the_lines_of_a_pipe_are_whole_and_cannot_move_the_cursor() -> None:
    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        await anna.do(confirm("order\x1b[2J", "r-1", cart="cart-1"))
        return await scene.story("cart-1")

    story = asyncio.run(play())
    found = sections(story, in_time_order(from_ledger(story)), "https://t.example/{trace_id}", waits(story))
    out = io.StringIO()
    Speech(as_json=False, out=out, err=io.StringIO()).answer({}, *shown(found))
    told = out.getvalue().splitlines()
    assert told[0] == "cart-1 is a cart:"
    assert told[-2:] == ["Open:", "nothing: all of it is settled"]
    assert not [line for line in told if "\x1b" in line]
    assert any(f"https://t.example/{ORIGIN.trace_id}" in line for line in told)
    assert linked(None, "x") is None


def record(topic: str, value: bytes, key: str = "k", **headers: str) -> Record:
    named = tuple((name, text.encode()) for name, text in headers.items())
    return Record(topic, 0, 5, key.encode(), value, named, NOW)


def story_of(*ids: str) -> Story:
    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        await anna.do(confirm("order-ada", "r-1", cart="ada"))
        return await scene.story(ids[0])

    return asyncio.run(play())


def told(kind: str, id_: str, given: Record) -> str | None:
    """The text of a record's happening, None when it does not belong to the story of an id."""
    ids = matching.wanted(story_of(id_))
    if not matching.mentioned(ids.pattern, ids, given):
        return None
    decoder = Decoder({"completed": "CheckoutCompleted", "cancelled": "OrderCancelled"}, None)
    decoded = asyncio.run(decoder.decode("completed", given.value))
    happening = matching.source(ids, given, decoded) if kind == "source" else matching.letter(ids, given, decoded)
    return happening.text if happening is not None else None


@pytest.mark.parametrize("id_", ["ada", "order-ada", reservation("ada", 1)])
def test_a_source_event_belongs_to_its_cart_its_order_and_its_reservations(id_: str) -> None:
    event = completed("ada", items=2, eventId="e-1", attributes={"email": "canary"})
    text = told("source", id_, record("completed", encoded(event)))
    assert text == (
        "CheckoutCompleted e-1 of cart ada, order order-ada, 2 items, reservations ada-reservation-0, ada-reservation-1"
    )


@pytest.mark.parametrize("id_", ["ad", "19.99", "USD", "CheckoutCompleted"])
def test_what_only_stands_in_the_bytes_belongs_to_nothing(id_: str) -> None:
    assert told("source", id_, record("completed", encoded(completed("ada")))) is None


def test_ids_that_json_escapes_are_found() -> None:
    event = completed("кор/зина")
    for text in (json.dumps(event), json.dumps(event, ensure_ascii=False), json.dumps(event).replace("/", "\\/")):
        assert told("source", "кор/зина", record("completed", text.encode())) is not None


def test_a_cancel_of_the_whole_order_says_so() -> None:
    text = told("source", "order-ada", record("cancelled", encoded(cancel_event("ada", items=0, eventId="e-2"))))
    assert text == "OrderCancelled e-2 of cart ada, order order-ada, the whole order"


def test_a_dead_letter_tells_its_reason_and_nothing_of_the_answers_body() -> None:
    said = {
        "dlq.reason": "rejected",
        "dlq.message": "Rokt answered 400",
        "dlq.http.status": "400",
        "dlq.http.body": "canary-body",
        "dlq.attempts": "1",
        "dlq.operation": "confirm",
        "dlq.redrives": "2",
    }
    text = told("letter", "ada", record("completed.dlq", encoded(completed("ada", eventId="e-1")), **said))
    assert text is not None
    assert text.startswith(
        "dead-lettered: rejected, confirm, HTTP 400, 1 attempt, redriven 2 times before, Rokt answered 400; Checkout"
    )
    assert "canary-body" not in text


def test_a_dead_letter_that_cannot_be_read_belongs_to_the_id_that_its_bytes_name() -> None:
    broken = record("completed.dlq", b'{"cartId": "ada', **{"dlq.reason": "undecodable"})
    assert (told("letter", "ada", broken) or "").startswith("dead-lettered: undecodable; an event that cannot be read")
    assert told("letter", "eve", broken) is None


def test_items_that_rokt_named_are_told_without_their_pages_address() -> None:
    async def play() -> Story:
        scene = Scene()
        anna = await scene.anna()
        call = replace(CALL, items=(CallItem("i-1", None),))
        ask = anna.question(call)
        await anna.put(ask)
        page = "https://rokt.example/confirmations/canary"
        await anna.settle(ask, Settled("succeeded", (ItemAnswer("i-1", "r-9", "c-1", page, True),), 200, 1))
        return await scene.story("r-9")

    story = asyncio.run(play())
    answer = str(document(story, from_ledger(story), None, None))
    assert "c-1" in answer
    assert "canary" not in answer
