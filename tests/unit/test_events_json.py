"""The three events as JSON: fields, types, formats, and what makes one invalid."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from worker.decode.decoder import Decoded, Decoder, InvalidEvent, Undecodable
from worker.events import CartAbandoned, CheckoutCompleted, EventType, OrderCancelled, instant, milliseconds

TOPICS: dict[str, EventType | None] = {
    "checkout-completed": "CheckoutCompleted",
    "order-cancelled": "OrderCancelled",
    "cart-abandoned": "CartAbandoned",
    "shared": None,
}
ITEM: dict[str, Any] = {"cartItemId": "item-1", "itemReservationId": "reservation-1"}
COMPLETED: dict[str, Any] = {
    "eventId": "event-1",
    "occurredAt": "2026-11-22T10:00:00Z",
    "cartId": "cart-1",
    "orderId": "order-1",
}
CANCELLED: dict[str, Any] = {"eventId": "event-2", "occurredAt": 0, "orderId": "order-1", "items": [ITEM]}
ABANDONED: dict[str, Any] = {"eventId": "event-3", "occurredAt": 0, "cartId": "cart-1", "items": [ITEM]}


def decoded(topic: str, value: bytes | dict[str, Any]) -> Decoded:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return asyncio.run(Decoder(TOPICS, None).decode(topic, raw))


def completed(**more: Any) -> CheckoutCompleted:
    event = decoded("checkout-completed", COMPLETED | more)
    assert isinstance(event, CheckoutCompleted), event
    return event


def invalid(topic: str, value: bytes | dict[str, Any]) -> str:
    found = decoded(topic, value)
    assert isinstance(found, InvalidEvent), found
    return found.message


def price(written: str) -> Decimal | None:
    text = json.dumps(COMPLETED | {"items": [{"cartItemId": "i", "quantity": 1, "unitPrice": "@"}]})
    event = decoded("checkout-completed", text.replace('"@"', written).encode())
    assert isinstance(event, CheckoutCompleted), event
    return event.items[0].unit_price


def test_every_field_of_a_completed_checkout_is_read() -> None:
    event = completed(
        roktSessionId="session-1",
        locale="en-US",
        payPalOrderId="paypal-1",
        merchantId="merchant-1",
        attributes={"email": "a@example.com"},
        items=[
            {
                **ITEM,
                "catalogItemId": "catalog-1",
                "quantity": 2,
                "unitPrice": 19.99,
                "totalPrice": "39.98",
                "currency": "USD",
            }
        ],
    )
    assert (event.event_id, event.cart_id, event.order_id) == ("event-1", "cart-1", "order-1")
    assert (event.rokt_session_id, event.locale) == ("session-1", "en-US")
    assert (event.pay_pal_order_id, event.merchant_id) == ("paypal-1", "merchant-1")
    assert event.attributes == {"email": "a@example.com"}
    (item,) = event.items
    assert (item.cart_item_id, item.item_reservation_id, item.catalog_item_id) == (
        "item-1",
        "reservation-1",
        "catalog-1",
    )
    assert (item.quantity, item.unit_price, item.total_price) == (2, Decimal("19.99"), Decimal("39.98"))
    assert item.currency == "USD"


def test_optional_fields_may_be_missing_and_items_of_a_completed_checkout_are_empty_by_default() -> None:
    event = completed()
    assert event.items == ()
    assert (event.rokt_session_id, event.locale, event.pay_pal_order_id, event.merchant_id) == (None,) * 4
    assert not event.attributes


@pytest.mark.parametrize("name", ["roktSessionId", "locale", "payPalOrderId", "merchantId"])
def test_optional_fields_may_be_null(name: str) -> None:
    assert completed(**{name: None}) == completed()


def test_optional_fields_of_an_item_may_be_null() -> None:
    nothing = dict.fromkeys(["catalogItemId", "quantity", "unitPrice", "totalPrice", "currency"])
    assert completed(items=[ITEM | nothing]) == completed(items=[ITEM])


def test_every_field_of_a_cancelled_order_is_read() -> None:
    event = decoded("order-cancelled", CANCELLED | {"cartId": "cart-1", "locale": "de"})
    assert isinstance(event, OrderCancelled)
    assert (event.order_id, event.cart_id, event.locale) == ("order-1", "cart-1", "de")
    assert (event.items[0].cart_item_id, event.items[0].item_reservation_id) == ("item-1", "reservation-1")


def test_the_items_of_a_cancelled_order_may_be_empty_for_the_whole_order() -> None:
    event = decoded("order-cancelled", CANCELLED | {"items": []})
    assert isinstance(event, OrderCancelled)
    assert event.items == ()


def test_a_cancelled_order_that_says_nothing_of_items_does_not_stand_for_the_whole_order() -> None:
    assert "items" in invalid("order-cancelled", {k: v for k, v in CANCELLED.items() if k != "items"})


def test_every_field_of_an_abandoned_cart_is_read() -> None:
    more = {"roktSessionId": "session-1", "locale": "fr", "attributes": {"a": "b"}}
    event = decoded("cart-abandoned", ABANDONED | more)
    assert isinstance(event, CartAbandoned)
    assert (event.cart_id, event.rokt_session_id, event.locale) == ("cart-1", "session-1", "fr")
    assert event.attributes == {"a": "b"}
    assert (event.items[0].cart_item_id, event.items[0].item_reservation_id) == ("item-1", "reservation-1")


def test_fields_that_the_worker_does_not_know_are_ignored() -> None:
    more = {"new": {"deep": [1, 2.5, None, {"x": True}]}, "items": [ITEM | {"colour": "red"}]}
    assert completed(**more) == completed(items=[ITEM])


@pytest.mark.parametrize("topic", ["shared", "checkout-completed", "cart-abandoned"])
@pytest.mark.parametrize("named", ["OrderCancelled", "order-cancelled"])
def test_the_event_type_in_a_record_comes_before_the_topics(topic: str, named: str) -> None:
    assert isinstance(decoded(topic, CANCELLED | {"eventType": named}), OrderCancelled)


@pytest.mark.parametrize(
    ("named", "body", "kind"),
    [
        ("CheckoutCompleted", COMPLETED, CheckoutCompleted),
        ("checkout-completed", COMPLETED, CheckoutCompleted),
        ("OrderCancelled", CANCELLED, OrderCancelled),
        ("order-cancelled", CANCELLED, OrderCancelled),
        ("CartAbandoned", ABANDONED, CartAbandoned),
        ("cart-abandoned", ABANDONED, CartAbandoned),
    ],
)
def test_one_topic_may_carry_all_three_events(named: str, body: dict[str, Any], kind: type) -> None:
    assert isinstance(decoded("shared", body | {"eventType": named}), kind)


def test_an_event_type_of_null_is_as_none() -> None:
    assert completed(eventType=None) == completed()


@pytest.mark.parametrize("named", ["OrderShipped", "checkoutcompleted", "x" * 10_000])
def test_an_event_type_that_is_none_of_ours_is_invalid_and_not_taken_for_the_topics(named: str) -> None:
    assert invalid("checkout-completed", COMPLETED | {"eventType": named})


@pytest.mark.parametrize("named", [5, True, ["CheckoutCompleted"], {"name": "CheckoutCompleted"}])
def test_an_event_type_that_is_no_text_is_invalid(named: object) -> None:
    assert "eventType" in invalid("checkout-completed", COMPLETED | {"eventType": named})


def test_a_topic_of_several_types_needs_the_event_type_in_the_record() -> None:
    assert "eventType" in invalid("shared", COMPLETED)


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00.123Z", datetime(2026, 11, 22, 10, 0, 0, 123_000, UTC)),
        ("2026-11-22T12:00:00+02:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22t10:00:00z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        (1795341600123, datetime(2026, 11, 22, 10, 0, 0, 123_000, UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC)),
    ],
)
def test_occurred_at_is_rfc_3339_text_or_epoch_milliseconds(written: object, at: datetime) -> None:
    assert instant(completed(occurredAt=written).occurred_at) == at


@pytest.mark.parametrize(
    "written",
    ["yesterday", "", "2026-11-22", "2026-11-22T10:00:00", "2026-13-01T00:00:00Z", None, True, [], {}, 10**18, 10**30],
)
def test_an_occurred_at_that_no_calendar_has_is_invalid(written: object) -> None:
    assert "occurredAt" in invalid("checkout-completed", COMPLETED | {"occurredAt": written})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("19.99", "19.99"),
        ('"19.99"', "19.99"),
        ("10", "10"),
        ('"10.0000"', "10"),
        ("10.0000", "10"),
        ("1e1", "10"),
        ("0.1", "0.1"),
        ("99999999999999.9999", "99999999999999.9999"),
        ('"99999999999999.9999"', "99999999999999.9999"),
        ("0.10000000000000000", "0.1"),
        ("-5.50", "-5.5"),
        ("0", "0"),
    ],
)
def test_a_price_as_number_or_text_is_read_exactly(written: str, read: str) -> None:
    assert price(written) == Decimal(read)


@pytest.mark.parametrize(
    "written",
    [
        "19.99001",
        "1e-5",
        "1e18",
        "1e400",
        "1e999999",
        "1e99999999999999999999",
        "1234567890123456789",
        "9" * 5000,
        '"free"',
        '""',
        '"19,99"',
        '"$19.99"',
        '"NaN"',
        '"sNaN"',
        '"-sNaN123"',
        '"Infinity"',
        '"-inf"',
        '"1E+999999999"',
        '"1e-999999999"',
        "true",
        "[]",
        "{}",
    ],
)
def test_a_price_that_is_no_decimal_of_18_digits_and_scale_4_is_invalid(written: str) -> None:
    text = json.dumps(COMPLETED | {"items": [ITEM | {"unitPrice": "@"}]}).replace('"@"', written)
    assert "unitPrice" in invalid("checkout-completed", text.encode())
    text = json.dumps(COMPLETED | {"items": [ITEM | {"totalPrice": "@"}]}).replace('"@"', written)
    assert "totalPrice" in invalid("checkout-completed", text.encode())


@pytest.mark.parametrize("name", ["eventId", "occurredAt", "cartId", "orderId"])
def test_a_completed_checkout_without_a_field_that_it_needs_is_invalid_and_the_field_is_named(name: str) -> None:
    assert name in invalid("checkout-completed", {k: v for k, v in COMPLETED.items() if k != name})


@pytest.mark.parametrize("name", ["eventId", "occurredAt", "orderId"])
def test_a_cancelled_order_without_a_field_that_it_needs_is_invalid_and_the_field_is_named(name: str) -> None:
    assert name in invalid("order-cancelled", {k: v for k, v in CANCELLED.items() if k != name})


@pytest.mark.parametrize("name", ["eventId", "occurredAt", "cartId", "items"])
def test_an_abandoned_cart_without_a_field_that_it_needs_is_invalid_and_the_field_is_named(name: str) -> None:
    assert name in invalid("cart-abandoned", {k: v for k, v in ABANDONED.items() if k != name})


@pytest.mark.parametrize("name", ["eventId", "cartId", "orderId"])
@pytest.mark.parametrize("value", [5, 5.5, True, None, [], {}, ""])
def test_a_number_or_nothing_where_an_id_belongs_is_invalid(name: str, value: object) -> None:
    assert name in invalid("checkout-completed", COMPLETED | {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("roktSessionId", 5),
        ("locale", ["en"]),
        ("payPalOrderId", 5),
        ("merchantId", {}),
        ("attributes", "x"),
        ("attributes", {"a": 5}),
        ("attributes", {"a": None}),
        ("items", {}),
        ("items", "x"),
        ("items", [5]),
        ("items", [None]),
        ("items", [[]]),
    ],
)
def test_another_type_than_the_fields_own_is_invalid_and_the_field_is_named(name: str, value: object) -> None:
    assert name in invalid("checkout-completed", COMPLETED | {name: value})


@pytest.mark.parametrize("value", ["2", 2.5, True, 2**31, -(2**31) - 1, 10**30])
def test_a_quantity_that_is_no_int_of_32_bits_is_invalid(value: object) -> None:
    assert "quantity" in invalid("checkout-completed", COMPLETED | {"items": [ITEM | {"quantity": value}]})


def test_an_item_of_a_completed_checkout_needs_a_reservation_or_a_quantity() -> None:
    assert completed(items=[{"cartItemId": "i", "quantity": 1}])
    assert completed(items=[{"cartItemId": "i", "itemReservationId": "r"}])
    told = invalid("checkout-completed", COMPLETED | {"items": [ITEM, {"cartItemId": "i"}]})
    assert "itemReservationId" in told
    assert "quantity" in told
    assert "[1]" in told


def test_an_item_of_a_completed_checkout_needs_its_cart_item_id() -> None:
    assert "cartItemId" in invalid("checkout-completed", COMPLETED | {"items": [{"itemReservationId": "r"}]})


def test_an_item_of_a_cancelled_order_needs_one_of_its_two_ids() -> None:
    for one in ({"cartItemId": "i"}, {"itemReservationId": "r"}):
        assert isinstance(decoded("order-cancelled", CANCELLED | {"items": [one]}), OrderCancelled)
    for none in ({}, {"cartItemId": None, "itemReservationId": None}, {"cartItemId": "", "itemReservationId": ""}):
        assert "items[0]" in invalid("order-cancelled", CANCELLED | {"items": [none]})


@pytest.mark.parametrize("name", ["roktSessionId"])
@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "\x00", "ä", "a\x7f", "x" * 100_000])
def test_what_cannot_be_a_header_is_invalid_before_it_is_sent(name: str, value: str) -> None:
    assert name in invalid("checkout-completed", COMPLETED | {name: value})


def test_ten_thousand_items_are_read() -> None:
    event = completed(items=[ITEM | {"cartItemId": f"item-{n}"} for n in range(10_000)])
    assert len(event.items) == 10_000


def test_blanks_around_the_object_do_not_matter() -> None:
    assert decoded("checkout-completed", b" \r\n\t" + json.dumps(COMPLETED).encode() + b"\n") == completed()


def test_text_beyond_ascii_is_read_escaped_or_not() -> None:
    fields = COMPLETED | {"attributes": {"name": "Zoë ☃ 😀"}}
    for raw in (json.dumps(fields), json.dumps(fields, ensure_ascii=False)):
        event = decoded("checkout-completed", raw.encode())
        assert isinstance(event, CheckoutCompleted)
        assert event.attributes == {"name": "Zoë ☃ 😀"}


@pytest.mark.parametrize("name", ["cartId", "orderId", "eventId", "roktSessionId"])
def test_half_a_surrogate_pair_is_not_the_end_of_the_worker(name: str) -> None:
    raw = json.dumps(COMPLETED | {name: "\ud800"}).encode()
    assert isinstance(decoded("checkout-completed", raw), InvalidEvent | Undecodable)


@pytest.mark.parametrize("text", ["2026-11-20T10:00:00.123Z", "2026-11-20T11:00:00.1239+01:00"])
def test_a_moment_is_the_same_millisecond_however_it_was_given(text: str) -> None:
    moment = datetime.fromisoformat(text)
    assert milliseconds(moment) == milliseconds(1_795_168_800_123) == 1_795_168_800_123


def test_no_moment_loses_a_millisecond_on_its_way() -> None:
    assert all(milliseconds(instant(ms)) == ms for ms in range(1_795_168_800_000, 1_795_168_801_000))
