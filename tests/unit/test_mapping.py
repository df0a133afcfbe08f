"""From an event to the calls that it asks for: what Rokt is sent."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from worker.events import (
    AbandonedItem,
    CancelledItem,
    CartAbandoned,
    CheckoutCompleted,
    CompletedItem,
    Event,
    OrderCancelled,
)
from worker.mapping import Call, CallItem, Cancellation, NothingToDo, cancel, map_event, reduced

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

FULL = CheckoutCompleted(
    event_id="event-1",
    occurred_at=AT,
    cart_id="cart-1",
    order_id="order-1",
    rokt_session_id="session-1",
    locale="en-US",
    items=(
        CompletedItem(
            cart_item_id="item-1",
            item_reservation_id="reservation-1",
            catalog_item_id="catalog-1",
            quantity=2,
            unit_price=Decimal("19.9900"),
            total_price=Decimal("39.9800"),
            currency="USD",
        ),
        CompletedItem(cart_item_id="item-2", quantity=1),
    ),
    pay_pal_order_id="paypal-1",
    merchant_id="merchant-1",
    attributes={"email": "a@example.com"},
)
CANCELLED = OrderCancelled(
    event_id="event-2",
    occurred_at=AT,
    order_id="order-1",
    cart_id="cart-1",
    locale="de-DE",
    items=(CancelledItem("item-1", "reservation-1"), CancelledItem(None, "reservation-2")),
)
ABANDONED = CartAbandoned(
    event_id="event-3",
    occurred_at=AT,
    cart_id="cart-1",
    rokt_session_id="session-1",
    locale="en",
    items=(AbandonedItem("item-1", "reservation-1"), AbandonedItem("item-2")),
    attributes={"reason": "timeout"},
)


def cancellation(event: OrderCancelled) -> Cancellation:
    mapped = map_event(event)
    assert isinstance(mapped, Cancellation)
    return mapped


def calls(event: Event) -> tuple[Call, ...]:
    """What an event asks for when the ledger has nothing to add to it."""
    if isinstance(event, OrderCancelled):
        return tuple(cancel(event, item) for item in cancellation(event).items)
    mapped = map_event(event)
    assert isinstance(mapped, Call)
    return (mapped,)


def only(event: Event) -> Call:
    (call,) = calls(event)
    return call


def priced(price: Decimal) -> bytes:
    item = CompletedItem(cart_item_id="i", quantity=1, unit_price=price, total_price=price)
    return only(msgspec.structs.replace(FULL, items=(item,))).body


def test_a_completed_checkout_is_one_confirm_with_everything_that_rokt_knows_of() -> None:
    call = only(FULL)
    assert call.operation == "confirm"
    assert json.loads(call.body) == {
        "cartId": "cart-1",
        "orderId": "order-1",
        "items": [
            {
                "cartItemId": "item-1",
                "itemReservationId": "reservation-1",
                "catalogItemId": "catalog-1",
                "quantity": 2,
                "unitPrice": 19.99,
                "totalPrice": 39.98,
                "currency": "USD",
            },
            {"cartItemId": "item-2", "quantity": 1},
        ],
        "payPalOrderId": "paypal-1",
        "merchantId": "merchant-1",
        "attributes": {"email": "a@example.com"},
    }
    assert (call.session_id, call.locale, call.cart_id, call.order_id) == ("session-1", "en-US", "cart-1", "order-1")


def test_an_order_without_rokt_items_is_confirmed_too_with_an_empty_list() -> None:
    call = only(CheckoutCompleted(event_id="e", occurred_at=AT, cart_id="c", order_id="o"))
    assert json.loads(call.body) == {"cartId": "c", "orderId": "o", "items": []}


def test_absent_optional_fields_are_left_out_and_not_sent_as_null() -> None:
    bare = CheckoutCompleted(
        event_id="e", occurred_at=AT, cart_id="c", order_id="o", items=(CompletedItem("i", quantity=0),), attributes={}
    )
    assert json.loads(only(bare).body) == {
        "cartId": "c",
        "orderId": "o",
        "items": [{"cartItemId": "i", "quantity": 0}],
    }
    release = CartAbandoned(event_id="e", occurred_at=AT, cart_id="c", items=(AbandonedItem("i", "r"),), attributes={})
    assert json.loads(only(release).body) == {
        "cartId": "c",
        "items": [{"cartItemId": "i", "itemReservationId": "r"}],
    }


def test_a_session_id_that_is_missing_is_not_invented() -> None:
    assert only(msgspec.structs.replace(FULL, rokt_session_id=None)).session_id is None
    assert only(msgspec.structs.replace(ABANDONED, rokt_session_id=None)).session_id is None


def test_a_cancelled_order_is_one_cancel_for_each_item_that_names_its_reservation() -> None:
    made = calls(CANCELLED)
    assert [call.operation for call in made] == ["cancel", "cancel"]
    assert [json.loads(call.body) for call in made] == [
        {"itemReservationId": "reservation-1"},
        {"itemReservationId": "reservation-2"},
    ]
    assert [call.order_id for call in made] == ["order-1", "order-1"]
    assert [call.locale for call in made] == ["de-DE", "de-DE"]
    assert len({call.key for call in made}) == 2


def test_an_item_named_twice_in_a_cancel_is_asked_for_once() -> None:
    twice = (CancelledItem("item-1", "r"), CancelledItem(None, "r"), CancelledItem("item-1", "r"))
    named = cancellation(msgspec.structs.replace(CANCELLED, items=twice)).items
    assert named == (CallItem("item-1", "r"), CallItem(None, "r"))
    assert len({cancel(CANCELLED, item).key for item in named}) == 1


def test_an_item_of_a_cancel_without_a_reservation_is_left_to_the_ledger_to_find() -> None:
    some = (CancelledItem("item-1", "r"), CancelledItem("item-2", None), CancelledItem("item-3", ""))
    assert cancellation(msgspec.structs.replace(CANCELLED, items=some)).items == (
        CallItem("item-1", "r"),
        CallItem("item-2", None),
        CallItem("item-3", None),
    )


def test_a_cancel_of_the_whole_order_names_no_item_at_all() -> None:
    assert cancellation(msgspec.structs.replace(CANCELLED, items=())).items == ()


def test_a_cancel_is_the_same_call_whatever_cart_and_cart_item_it_names() -> None:
    bare = msgspec.structs.replace(CANCELLED, cart_id=None)
    one, other = cancel(CANCELLED, CallItem("item-1", "r")), cancel(bare, CallItem(None, "r"))
    assert (one.key, one.body, one.fingerprint) == (other.key, other.body, other.fingerprint)
    assert (one.cart_id, other.cart_id) == ("cart-1", None)


def test_an_abandoned_cart_is_one_release_of_the_items_that_have_a_reservation() -> None:
    call = only(ABANDONED)
    assert call.operation == "release"
    assert json.loads(call.body) == {
        "cartId": "cart-1",
        "items": [{"cartItemId": "item-1", "itemReservationId": "reservation-1"}],
        "attributes": {"reason": "timeout"},
    }
    assert (call.session_id, call.locale) == ("session-1", "en")


@pytest.mark.parametrize("of", [(), (AbandonedItem("item-1"),), (AbandonedItem("item-1", ""),)])
def test_an_abandoned_cart_without_any_reservation_asks_for_no_call(of: tuple[AbandonedItem, ...]) -> None:
    assert isinstance(map_event(msgspec.structs.replace(ABANDONED, items=of)), NothingToDo)


@pytest.mark.parametrize("event", [FULL, CANCELLED, ABANDONED])
def test_an_event_published_again_under_a_new_id_and_time_asks_for_the_same_calls(
    event: Event,
) -> None:
    again = msgspec.structs.replace(event, event_id="another", occurred_at=0)
    assert [(call.key, call.body) for call in calls(again)] == [(call.key, call.body) for call in calls(event)]


@pytest.mark.parametrize("event", [FULL, CANCELLED, ABANDONED])
def test_an_event_published_again_with_its_items_in_another_order_has_the_same_keys(
    event: Event,
) -> None:
    assert {call.key for call in calls(turned(event))} == {call.key for call in calls(event)}


@pytest.mark.parametrize(
    ("price", "sent"),
    [
        ("10.0000", b"10"),
        ("10", b"10"),
        ("1E+1", b"10"),
        ("1E+2", b"100"),
        ("19.9900", b"19.99"),
        ("19.99", b"19.99"),
        ("0.0001", b"0.0001"),
        ("0.1000", b"0.1"),
        ("0.0000", b"0"),
        ("-0.0000", b"0"),
        ("-5.5000", b"-5.5"),
        ("100.0000", b"100"),
        ("99999999999999.9999", b"99999999999999.9999"),
        ("10000000000000.0000", b"10000000000000"),
    ],
)
def test_a_price_reaches_rokt_as_an_exact_json_number(price: str, sent: bytes) -> None:
    body = priced(Decimal(price))
    assert b'"unitPrice":' + sent + b"," in body
    assert b'"totalPrice":' + sent + b"}" in body


@settings(deadline=None, max_examples=100)
@given(st.decimals(min_value=-(10**14) + 1, max_value=10**14 - 1, places=4))
def test_every_price_of_18_digits_and_scale_4_is_sent_as_a_plain_number_and_exactly(price: Decimal) -> None:
    body = priced(price)
    number = body.split(b'"unitPrice":')[1].split(b",")[0]
    assert b"E" not in number.upper()
    assert not number.startswith(b'"')
    assert Decimal(number.decode()) == price
    assert number == b"0" or b"." not in number or not number.endswith(b"0")


def test_prices_do_not_change_the_key_and_every_attempt_has_the_same_bytes() -> None:
    assert only(FULL) == only(FULL)
    cheaper = msgspec.structs.replace(FULL.items[0], unit_price=Decimal(1))
    assert only(msgspec.structs.replace(FULL, items=(cheaper, FULL.items[1]))).key == only(FULL).key


def test_ten_thousand_items_go_into_one_confirm() -> None:
    of = tuple(CompletedItem(f"item-{n}", f"reservation-{n}", unit_price=Decimal("19.99")) for n in range(10_000))
    call = only(msgspec.structs.replace(FULL, items=of))
    assert len(json.loads(call.body)["items"]) == 10_000
    assert len(call.items) == 10_000


def test_text_beyond_ascii_reaches_rokt_as_it_is() -> None:
    call = only(msgspec.structs.replace(FULL, attributes={"name": 'Zoë "☃" \n'}))
    assert json.loads(call.body)["attributes"] == {"name": 'Zoë "☃" \n'}


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en_US", "en-US"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("", None),
        ("a\r\nx: y", None),
        ("☃", None),
        ("x-" * 90 + "x", None),
    ],
)
def test_a_locale_that_is_none_is_left_to_the_workers_setting(locale: str, language: str | None) -> None:
    assert only(CheckoutCompleted("e", 0, "c", "o", locale=locale)).locale == language


def turned(event: Event) -> Event:
    return msgspec.structs.replace(event, items=tuple(reversed(event.items)))


@pytest.mark.parametrize("event", [FULL, ABANDONED])
def test_a_fingerprint_is_16_bytes_and_the_same_with_the_items_in_another_order(event: Event) -> None:
    assert len(only(event).fingerprint) == 16
    assert only(turned(event)).fingerprint == only(event).fingerprint


def test_a_fingerprint_is_the_same_with_the_attributes_in_another_order() -> None:
    one = msgspec.structs.replace(FULL, attributes={"a": "1", "b": "2"})
    other = msgspec.structs.replace(FULL, attributes={"b": "2", "a": "1"})
    assert only(one).fingerprint == only(other).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(FULL, merchant_id="merchant-2"),
        msgspec.structs.replace(FULL, merchant_id=None),
        msgspec.structs.replace(FULL, pay_pal_order_id="merchant-1", merchant_id="paypal-1"),
        msgspec.structs.replace(FULL, attributes={"email": "b@example.com"}),
        msgspec.structs.replace(FULL, items=(FULL.items[0], CompletedItem("item-2", quantity=2))),
        msgspec.structs.replace(FULL, items=(FULL.items[0], FULL.items[1], CompletedItem("item-2", quantity=2))),
    ],
)
def test_another_body_under_the_same_key_has_another_fingerprint(other: CheckoutCompleted) -> None:
    assert only(other).key == only(FULL).key
    assert only(other).fingerprint != only(FULL).fingerprint


def test_headers_and_the_events_own_id_and_time_are_no_part_of_the_fingerprint() -> None:
    other = msgspec.structs.replace(FULL, event_id="e", occurred_at=0, rokt_session_id="s", locale="de")
    assert only(other).fingerprint == only(FULL).fingerprint


def test_a_call_about_all_of_its_items_is_not_reduced() -> None:
    assert reduced(FULL, only(FULL), only(FULL).items) == only(FULL)


@pytest.mark.parametrize("event", [FULL, turned(FULL)])
def test_a_reduced_confirm_leaves_out_items_and_nothing_else(event: CheckoutCompleted) -> None:
    whole = only(event)
    kept = (CallItem("item-2", None),)
    fewer = reduced(event, whole, kept)
    sent = json.loads(whole.body)
    assert json.loads(fewer.body) == sent | {"items": [i for i in sent["items"] if i["cartItemId"] == "item-2"]}
    assert fewer == replace(whole, body=fewer.body, items=kept)


def test_a_reduced_release_leaves_out_items_and_nothing_else() -> None:
    event = msgspec.structs.replace(ABANDONED, items=(AbandonedItem("item-1", "r"), AbandonedItem("item-2", "r-2")))
    whole = only(event)
    fewer = reduced(event, whole, (CallItem("item-2", "r-2"),))
    sent = json.loads(whole.body)
    assert json.loads(fewer.body) == sent | {"items": [{"cartItemId": "item-2", "itemReservationId": "r-2"}]}
    assert fewer == replace(whole, body=fewer.body, items=(CallItem("item-2", "r-2"),))


def test_a_cancel_is_about_one_item_and_cannot_be_reduced() -> None:
    with pytest.raises(ValueError, match="one item"):
        reduced(CANCELLED, only(msgspec.structs.replace(CANCELLED, items=CANCELLED.items[:1])), ())
