"""What is told of dead letters: what to do, in words, and nothing personal."""

from __future__ import annotations

import asyncio
import json
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from infra.dead_letters_written import SOURCE, about, letter
from infra.events import SESSION, completed, encoded
from worker.commands.dlq_screen import age, summary
from worker.commands.dlq_screen import letter as drawn
from worker.commands.speaking import Table, aligned
from worker.decode.decoder import Decoder, Undecodable
from worker.dlq import document
from worker.dlq.marks import Mark, identity
from worker.dlq.mends import mend
from worker.events import Event, from_json
from worker.telemetry.names import Reason


def event(given: dict[str, Any]) -> Event:
    return from_json("CheckoutCompleted", json.dumps(given))


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_has_a_mend(reason: Reason) -> None:
    assert "redrive" in mend(reason, None).lower()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (301, "WORKER_ROKT__BASE_URL"),
        (400, "Mend what its answer names"),
        (401, "credentials"),
        (403, "credentials"),
        (404, "WORKER_ROKT__BASE_URL"),
        (405, "WORKER_ROKT__BASE_URL"),
        (409, "seen this key before"),
        (410, "WORKER_ROKT__BASE_URL"),
        (413, "too large"),
        (415, "something else may answer there"),
        (418, "Mend what its answer names"),
        (422, "Mend what its answer names"),
    ],
)
def test_a_refusal_has_the_mend_of_its_status(status: int, said: str) -> None:
    assert said in mend("rejected", status)


ADA = event(
    completed(
        "ada",
        attributes={"mail": "Zoë+1@example.com", "sex": "f"},
        locale="xx-canary",
        payPalOrderId="paypal-7",
        merchantId="merchant-7",
    )
    | {"items": [{"cartItemId": "i", "quantity": 1, "unitPrice": "4711.50", "totalPrice": 10}]}
)


def test_of_rokts_answer_is_told_what_it_says_and_not_what_it_quotes() -> None:
    body = {"description": "No", "errors": [{"code": "Bad", "message": "A price", "value": {"price": "4711"}}]}
    assert document.answer(json.dumps(body), ADA) == "No; Bad: A price"
    assert document.answer("", ADA) is None
    assert (
        document.answer("<html>4711", ADA)
        == "10 characters in another form than Rokt's; they stand in the header dlq.http.body"
    )
    for other in (
        "[4711]",
        "4711",
        '{"errors": [4711]}',
        '{"errors": 4711}',
        '{"errors": [{"code": 4711}]}',
        '{"description": {"price": 4711}}',
        '{"errors": [{"code": "Bad", "message": {"price": 4711}}]}',
    ):
        assert "4711" not in str(document.answer(other, ADA))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("unitPrice 4711.50 is too much", "unitPrice … is too much"),
        ("unitPrice 4711.5 or 4711.5000 or 4712 or 471150", "unitPrice … or … or … or …"),
        ("mail: 'zoë+1@EXAMPLE.com' bounced", "mail: '…' bounced"),
        (r"mail: Zo\u00eb+1@example.com", "mail: …"),
        (f"no session {SESSION}", "no session …"),
        ("PAYPAL-7 of merchant-7, in xx-canary", "… of …, in …"),
        ("10 of 110 fields of f", "… of 110 fields of …"),
        ("cart ada is not known", "cart ada is not known"),
    ],
)
def test_what_rokt_says_of_the_customer_is_left_out(said: str, told: str) -> None:
    errors = [{"code": "Bad", "message": said}]
    assert document.answer(json.dumps({"description": "No", "errors": errors}), ADA) == f"No; Bad: {told}"


def test_what_rokt_said_of_an_event_that_cannot_be_read_now_is_not_told() -> None:
    assert "4711" not in str(document.answer(json.dumps({"description": "4711"}), None))


@pytest.mark.parametrize(
    ("key", "told", "bytes_"),
    [(b"ada", "ada", 3), (b"ada@example.com", None, 15), (b"\xff", None, 1), (None, None, None)],
)
def test_a_key_is_told_where_it_is_an_id_of_the_event(key: bytes | None, told: str | None, bytes_: int | None) -> None:
    source = replace(SOURCE, key=key)
    shown = document.whole(letter(source, about("rejected")), None, ADA, (), group="ours", link=None)
    assert (shown["key"], shown["keyBytes"]) == (told, bytes_)
    unread = document.whole(letter(source, about("rejected")), None, Undecodable("no"), (), group="ours", link=None)
    assert (unread["key"], unread["keyBytes"]) == (None, bytes_)


def test_a_letter_is_told_whole_and_without_anything_personal() -> None:
    given = completed(
        "ada", items=12, locale="xx-canary", attributes={"mail": "canary@example.com"}, merchantId="canary"
    )
    source = replace(SOURCE, value=encoded(given), headers=(("shop", b"canary"), ("traceparent", b"tp")))
    found = letter(source, about("rejected", operation="confirm", http_status=422))
    decoded = asyncio.run(Decoder({}, None).decode("orders", source.value))
    told = document.whole(found, None, decoded, (), group="ours", link="https://jaeger/{trace_id}")
    assert told["event"]["items"][11]["itemReservationId"] == "ada-reservation-11"
    assert told["traceLink"] == f"https://jaeger/{found.trace_id}"
    assert told["headers"] == [
        {"name": "shop", "value": None, "bytes": 6},
        {"name": "traceparent", "value": "tp", "bytes": 2},
    ]
    [table] = drawn(told)
    assert isinstance(table, Table)
    text = "\n".join(aligned(table))
    assert "cart ada, order order-ada, 12 items, with a session" in text
    assert text.count("item  ") == 10
    for personal in ("canary", "19.99", SESSION):
        assert personal not in json.dumps(told) + text


def test_advice_follows_what_became_of_it() -> None:
    found = letter()
    redriven = Mark("redriven", identity(found), 1, result="succeeded")
    assert document.advice(found, None, "ours") == mend("rejected", 422)
    assert document.advice(found, redriven, "ours") == "Nothing: it was redriven."
    assert "its newer letter" in document.advice(found, Mark("redriven", "", 1, result="dead-lettered"), "ours")
    assert "--state discarded orders.dlq/0/0" in document.advice(found, Mark("discarded", "", 1), "ours")
    assert "WORKER_KAFKA__GROUP_ID=ours" in document.advice(found, None, "theirs")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "-"), (0, "0s"), (59, "59s"), (60, "1m"), (61, "1m 1s"), (7_260, "2h 1m"), (86_400 * 3 + 3_700, "3d 1h")],
)
def test_an_age_has_the_two_units_that_matter(seconds: int | None, said: str) -> None:
    assert age(seconds) == said


def test_a_summary_says_all_that_was_seen() -> None:
    states = {"open": 1_234, "redriven": 0, "discarded": 1}
    foreign = [{"place": "a.dlq/0/1", "wrong": "it has no header dlq.reason"}]
    told = {"states": states, "otherGroups": {"theirs": 2}, "foreign": 3, "firstForeign": foreign}
    assert summary(told) == (
        "1,234 open, 1 discarded; 2 of other groups (theirs: 2); "
        "3 records are no dead letter of a worker, such as a.dlq/0/1: it has no header dlq.reason."
    )
    nothing = {"states": dict.fromkeys(states, 0), "otherGroups": {}, "foreign": 0, "firstForeign": []}
    assert summary(nothing) == "no dead letters."
