"""What an answer of Rokt's means by itself: its class, its items, its excerpt."""

import gzip
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.mapping import CallItem
from worker.rokt.answers import Accepted, Conflict, Denied, Failed, Refused, Throttled, excerpt, read_answer

ONE, TWO = CallItem("item-1", "reservation-1"), CallItem("item-2", "reservation-2")
ITEMS = (ONE, TWO)


def answered(*items: dict[str, object]) -> bytes:
    return json.dumps({"cartId": "c", "orderId": "o", "items": list(items)}).encode()


def confirmed(number: int, *, success: object = True) -> dict[str, object]:
    return {
        "cartItemId": f"item-{number}",
        "itemReservationId": f"reservation-{number}",
        "itemConfirmationId": f"confirmation-{number}",
        "itemConfirmationUrl": f"https://rokt.example/{number}",
        "success": success,
    }


def accepted(body: bytes, unread: str | None = None, items: tuple[CallItem, ...] = ITEMS) -> Accepted:
    answer = read_answer(200, body, items, None, unread)
    assert isinstance(answer, Accepted)
    return answer


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_an_acceptance(status: int) -> None:
    assert isinstance(read_answer(status, b"", ITEMS, None), Accepted)


@pytest.mark.parametrize(
    "status", [400, 404, 405, 406, 410, 411, 413, 414, 415, 416, 418, 421, 422, 423, 426, 428, 451]
)
def test_every_other_4xx_is_a_refusal(status: int) -> None:
    assert read_answer(status, b"why", ITEMS, None) == Refused(status, "why")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_a_refusal(status: int) -> None:
    assert isinstance(read_answer(status, b"", ITEMS, None), Refused)


@pytest.mark.parametrize("status", [401, 403])
def test_401_and_403_refuse_the_credentials_and_not_the_event(status: int) -> None:
    assert isinstance(read_answer(status, b"", ITEMS, None), Denied)


@pytest.mark.parametrize("status", [408, 425, 429])
def test_408_425_and_429_are_to_be_tried_again_and_did_nothing(status: int) -> None:
    assert read_answer(status, b"later", ITEMS, 7.0) == Throttled(status, "later", 7.0)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 505, 520, 599])
def test_5xx_is_to_be_tried_again_and_may_have_been_done(status: int) -> None:
    answer = read_answer(status, b"", ITEMS, 7.0)
    assert isinstance(answer, Failed)
    assert answer.maybe_applied
    assert (answer.status, answer.retry_after) == (status, 7.0)


def test_409_is_a_conflict_whose_meaning_lies_in_the_history() -> None:
    assert read_answer(409, b"again", ITEMS, None) == Conflict(409, "again")


def test_what_rokt_says_of_each_item_is_kept_in_the_calls_order() -> None:
    answer = accepted(answered(confirmed(2, success=False), confirmed(1)))
    assert [item.item_reservation_id for item in answer.items] == ["reservation-1", "reservation-2"]
    assert [item.success for item in answer.items] == [True, False]
    assert answer.items[0].item_confirmation_id == "confirmation-1"
    assert answer.items[0].item_confirmation_url == "https://rokt.example/1"
    assert answer.unread is None


def test_an_answer_that_names_items_by_only_one_of_their_ids_is_understood() -> None:
    answer = accepted(answered({"cartItemId": "item-1", "success": False}, {"itemReservationId": "reservation-2"}))
    assert [item.success for item in answer.items] == [False, True]


def test_two_items_under_one_cart_item_id_are_told_apart_by_their_reservations() -> None:
    items = (CallItem("item-1", "reservation-1"), CallItem("item-1", "reservation-2"))
    said = [{"cartItemId": "item-1", "itemReservationId": f"reservation-{n}", "success": n == 1} for n in (1, 2)]
    for order in (said, said[::-1]):
        assert [item.success for item in accepted(answered(*order), items=items).items] == [True, False]


def test_what_is_said_of_one_reservation_is_not_taken_for_another_of_the_same_cart_item() -> None:
    items = (CallItem("item-1", "reservation-1"), CallItem("item-1", "reservation-2"))
    said = {"cartItemId": "item-1", "itemReservationId": "reservation-2", "success": False}
    assert [item.success for item in accepted(answered(said), items=items).items] == [True, False]


def test_an_item_that_rokt_says_nothing_of_succeeded_with_the_call() -> None:
    answer = accepted(answered(confirmed(1)))
    assert [item.success for item in answer.items] == [True, True]
    assert answer.items[1].item_confirmation_id is None


def test_items_that_were_not_asked_for_are_not_reported() -> None:
    assert len(accepted(answered(confirmed(1), confirmed(2), confirmed(3, success=False))).items) == 2


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b'{"items": null}', b'{"items": []}'])
def test_a_2xx_without_any_word_of_items_succeeded_for_all(body: bytes) -> None:
    assert all(item.success for item in accepted(body).items)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>OK</html>",
        b"{",
        b'{"items": [',
        b"\xff\xfe",
        b"[]",
        b'"ok"',
        b"7",
        b'{"items": 5}',
        b'{"items": {"a": 1}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        gzip.compress(b"{}", mtime=0),
    ],
)
def test_a_2xx_with_a_body_that_cannot_be_read_succeeded_and_says_so(body: bytes) -> None:
    answer = accepted(body)
    assert [item.item_reservation_id for item in answer.items] == ["reservation-1", "reservation-2"]
    assert all(item.success for item in answer.items)
    assert answer.unread


def test_a_2xx_whose_body_broke_off_succeeded_and_says_why_it_is_unread() -> None:
    answer = accepted(b'{"items": [', "it broke off")
    assert all(item.success for item in answer.items)
    assert answer.unread == "it broke off"


def test_one_odd_field_does_not_hide_a_failure_beside_it() -> None:
    odd = confirmed(1, success=False) | {"itemConfirmationId": 5, "itemConfirmationUrl": ["x"]}
    answer = accepted(answered(odd, confirmed(2)))
    assert [item.success for item in answer.items] == [False, True]
    assert answer.items[0].item_confirmation_id is None


def test_one_odd_item_does_not_hide_a_failure_beside_it() -> None:
    body = json.dumps({"items": [None, 5, "x", [], confirmed(2, success=False)]}).encode()
    assert [item.success for item in accepted(body).items] == [True, False]


@pytest.mark.parametrize(("length", "kept"), [(10, 10), (2048, 2048), (2049, 2048), (1_000_000, 2048)])
def test_the_kept_part_of_a_body_is_at_most_2_kib(length: int, kept: int) -> None:
    assert excerpt(b"x" * length) == "x" * kept


@settings(deadline=None, max_examples=50)
@given((st.binary(max_size=20) | st.text(max_size=10).map(str.encode)).map(lambda part: part * 300))
@example("ä☃".encode() * 600)
@example(b"x" + "😀".encode() * 600)
def test_the_kept_part_of_a_body_is_text_of_at_most_2_kib_whatever_its_bytes_are(body: bytes) -> None:
    assert len(excerpt(body).encode()) <= 2048


@settings(deadline=None, max_examples=200)
@given(st.integers(100, 999), st.binary(max_size=100) | st.just(b'{"items": [{"success": false}]}'))
def test_no_answer_whatever_its_status_and_body_is_beyond_the_table(status: int, body: bytes) -> None:
    answer = read_answer(status, body, ITEMS, None)
    assert isinstance(answer, Accepted | Conflict | Denied | Failed | Refused | Throttled)


@pytest.mark.parametrize(
    "said",
    [
        {"cartItemId": "item-1", "itemReservationId": "another", "success": False},
        {"success": False},
        {"cartItemId": "item-1", "success": "false"},
        {"itemReservationId": "reservation-1", "success": False},
    ],
)
def test_a_failure_is_never_taken_for_a_success_however_its_item_is_named(said: dict[str, object]) -> None:
    [item] = accepted(answered(said), items=ITEMS[:1]).items
    assert not item.success


def test_of_several_words_on_one_item_the_worst_counts() -> None:
    for order in ((True, False), (False, True)):
        said = [confirmed(1, success=success) for success in order]
        assert [item.success for item in accepted(answered(*said, confirmed(2))).items] == [False, True]
