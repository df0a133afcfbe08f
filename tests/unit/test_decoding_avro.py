"""Avro as partners write it: Confluent's own serializer, and their schema in every shape that Avro's rules allow."""

import asyncio
import copy
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, SchemaRegistryError
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from worker.decode.decoder import Decoded, Decoder, InvalidEvent, Undecodable
from worker.decode.schemas import FILES, Resolved, Unusable, load, resolve
from worker.events import (
    AbandonedItem,
    CancelledItem,
    CartAbandoned,
    CheckoutCompleted,
    CompletedItem,
    EventType,
    OrderCancelled,
    milliseconds,
)
from worker.mapping import Call, map_event

READERS: dict[EventType, dict[str, Any]] = {kind: load(name) for kind, name in FILES.items()}
TOPIC = "checkout-completed"
AT = datetime(2026, 11, 22, 10, 0, 0, 123_000, UTC)
AT_MS = milliseconds(AT)

COMPLETED: dict[str, Any] = {
    "eventId": "event-1",
    "occurredAt": AT,
    "cartId": "cart-1",
    "orderId": "order-1",
    "roktSessionId": "session-1",
    "locale": "en-US",
    "items": [
        {
            "cartItemId": "item-1",
            "itemReservationId": "reservation-1",
            "catalogItemId": "catalog-1",
            "quantity": 2,
            "unitPrice": Decimal("19.9900"),
            "totalPrice": Decimal("39.9800"),
            "currency": "USD",
        }
    ],
    "payPalOrderId": "paypal-1",
    "merchantId": "merchant-1",
    "attributes": {"email": "a@example.com"},
}
CANCELLED: dict[str, Any] = {
    "eventId": "event-2",
    "occurredAt": AT,
    "orderId": "order-1",
    "cartId": "cart-1",
    "locale": None,
    "items": [{"cartItemId": "item-1", "itemReservationId": "reservation-1"}],
}
ABANDONED: dict[str, Any] = {
    "eventId": "event-3",
    "occurredAt": AT,
    "cartId": "cart-1",
    "roktSessionId": None,
    "locale": None,
    "items": [{"cartItemId": "item-1", "itemReservationId": None}],
    "attributes": {},
}


class Shop:
    """A partner's producer and the registry between us: Confluent's serializer over Confluent's client in memory."""

    def __init__(self) -> None:
        self._client = SchemaRegistryClient.new_client({"url": "mock://shop"})

    def register(self, subject: str, schema: dict[str, Any], references: list[SchemaReference] | None = None) -> None:
        self._client.register_schema(subject, Schema(json.dumps(schema), "AVRO", references or []))

    def write(self, value: Any, schema: Any, references: list[SchemaReference] | None = None) -> bytes:
        serializer = AvroSerializer(
            self._client,
            Schema(json.dumps(schema), "AVRO", references or []),
            conf={"auto.register.schemas": True, "subject.name.strategy.type": "TOPIC"},
        )
        written: bytes | None = serializer(value, SerializationContext(TOPIC, MessageField.VALUE))
        assert written is not None
        assert written[0] == 0
        return written

    def cached(self, schema_id: int) -> Resolved | Unusable | None:
        return None

    async def fetch(self, schema_id: int) -> Resolved | Unusable:
        try:
            schema = self._client.get_schema(schema_id)
        except SchemaRegistryError as error:
            return Unusable(f"the registry answered {error.http_status_code}")
        references: dict[str, str] = {}
        self._collect(schema.references or [], references)
        return resolve(schema.schema_str or "", references, READERS)

    def _collect(self, references: list[SchemaReference], found: dict[str, str]) -> None:
        for reference in references:
            version = self._client.get_version(str(reference.subject), int(reference.version or 1))
            self._collect(version.schema.references or [], found)
            found[str(reference.name)] = version.schema.schema_str or ""

    def read(self, written: bytes, topic: str = TOPIC) -> Decoded:
        return asyncio.run(Decoder({TOPIC: "CheckoutCompleted"}, self).decode(topic, written))

    def passed(self, value: Any, schema: Any, references: list[SchemaReference] | None = None) -> Decoded:
        return self.read(self.write(value, schema, references))


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


def schema(kind: EventType = "CheckoutCompleted") -> dict[str, Any]:
    return copy.deepcopy(READERS[kind])


def field(of: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in of["fields"] if one["name"] == name)
    return found


def item_record(of: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = field(of, "items")["type"]["items"]
    return found


def completed(found: Decoded) -> CheckoutCompleted:
    assert isinstance(found, CheckoutCompleted), found
    return found


WHOLE = CheckoutCompleted(
    event_id="event-1",
    occurred_at=AT_MS,
    cart_id="cart-1",
    order_id="order-1",
    rokt_session_id="session-1",
    locale="en-US",
    items=(CompletedItem("item-1", "reservation-1", "catalog-1", 2, Decimal("19.99"), Decimal("39.98"), "USD"),),
    pay_pal_order_id="paypal-1",
    merchant_id="merchant-1",
    attributes={"email": "a@example.com"},
)


def test_the_three_events_are_read_as_confluents_serializer_writes_them(shop: Shop) -> None:
    assert shop.passed(COMPLETED, schema()) == WHOLE
    assert shop.passed(CANCELLED, schema("OrderCancelled")) == OrderCancelled(
        "event-2", AT_MS, "order-1", (CancelledItem("item-1", "reservation-1"),), "cart-1"
    )
    assert shop.passed(ABANDONED, schema("CartAbandoned")) == CartAbandoned(
        "event-3", AT_MS, "cart-1", (AbandonedItem("item-1", None),), attributes={}
    )


def test_the_type_is_the_records_name_and_not_the_topics(shop: Shop) -> None:
    written = shop.write(CANCELLED, schema("OrderCancelled"))
    for topic in (TOPIC, "another-topic"):
        assert isinstance(shop.read(written, topic), OrderCancelled)


def test_a_schema_in_the_contracts_own_words_is_read(shop: Shop) -> None:
    """Written out here from the contract, not taken from the worker's folder."""
    optional = {"type": ["null", "string"], "default": None}
    price = ["null", {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 4}]
    item = [
        {"name": "cartItemId", "type": "string"},
        {"name": "itemReservationId", **optional},
        {"name": "catalogItemId", **optional},
        {"name": "quantity", "type": ["null", "int"], "default": None},
        {"name": "unitPrice", "type": price, "default": None},
        {"name": "totalPrice", "type": price, "default": None},
        {"name": "currency", **optional},
    ]
    written = {
        "type": "record",
        "name": "CheckoutCompleted",
        "namespace": "partner.orders.v1",
        "fields": [
            {"name": "eventId", "type": "string"},
            {"name": "occurredAt", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "cartId", "type": "string"},
            {"name": "orderId", "type": "string"},
            {"name": "roktSessionId", **optional},
            {"name": "locale", **optional},
            {
                "name": "items",
                "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": item}},
                "default": [],
            },
            {"name": "payPalOrderId", **optional},
            {"name": "merchantId", **optional},
            {"name": "attributes", "type": {"type": "map", "values": "string"}, "default": {}},
        ],
    }
    assert shop.passed(COMPLETED, written) == WHOLE


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("10.0000", b"10"),
        ("19.99", b"19.99"),
        ("19.9900", b"19.99"),
        ("0.0001", b"0.0001"),
        ("0", b"0"),
        ("99999999999999.9999", b"99999999999999.9999"),
        ("-5.5", b"-5.5"),
        ("100", b"100"),
    ],
)
def test_a_decimal_reaches_rokt_as_the_exact_number_that_was_written(shop: Shop, written: str, sent: bytes) -> None:
    item = COMPLETED["items"][0] | {"unitPrice": Decimal(written)}
    mapped = map_event(completed(shop.passed(COMPLETED | {"items": [item]}, schema())))
    assert isinstance(mapped, Call)
    assert b'"unitPrice":' + sent + b"," in mapped.body


@pytest.mark.parametrize(("precision", "scale"), [(10, 2), (18, 2), (6, 2), (4, 0), (30, 4)])
def test_a_decimal_of_another_precision_or_scale_is_read_exactly_too(shop: Shop, precision: int, scale: int) -> None:
    writer = schema()
    of_item = item_record(writer)
    field(of_item, "unitPrice")["type"][1] |= {"precision": precision, "scale": scale}
    price = Decimal("19.99") if scale else Decimal(20)
    item = COMPLETED["items"][0] | {"unitPrice": price}
    assert completed(shop.passed(COMPLETED | {"items": [item]}, writer)).items[0].unit_price == price


def test_a_decimal_with_more_than_18_digits_is_not_rounded_but_invalid(shop: Shop) -> None:
    writer = schema()
    field(item_record(writer), "unitPrice")["type"][1] |= {"precision": 30, "scale": 8}
    for price in ("1234567890123456789012.12345678", "19.99000001"):
        item = COMPLETED["items"][0] | {"unitPrice": Decimal(price)}
        found = shop.passed(COMPLETED | {"items": [item]}, writer)
        assert isinstance(found, InvalidEvent | Undecodable), found


def test_fields_that_the_partner_added_do_not_matter(shop: Shop) -> None:
    writer = schema()
    address = {"type": "record", "name": "Address", "fields": [{"name": "street", "type": "string"}]}
    writer["fields"][1:1] = [
        {"name": "channel", "type": {"type": "enum", "name": "Channel", "symbols": ["WEB", "APP"]}},
        {"name": "ship", "type": ["null", address], "default": None},
        {"name": "bill", "type": "Address"},
        {"name": "tags", "type": {"type": "array", "items": {"type": "map", "values": "double"}}},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
    ]
    item_record(writer)["fields"].insert(0, {"name": "colour", "type": ["null", "string"], "default": None})
    added = {
        "channel": "APP",
        "ship": {"street": "a"},
        "bill": {"street": "b"},
        "tags": [{"x": 1.5}],
        "hash": b"1234",
    }
    assert shop.passed(COMPLETED | added, writer) == WHOLE


def test_a_recursive_record_that_the_partner_added_does_not_matter(shop: Shop) -> None:
    writer = schema()
    category = {
        "type": "record",
        "name": "Category",
        "fields": [
            {"name": "name", "type": "string"},
            {"name": "parent", "type": ["null", "Category"], "default": None},
        ],
    }
    writer["fields"].insert(1, {"name": "category", "type": category})
    item_record(writer)["name"] = "LineItem"
    added = {"category": {"name": "a", "parent": {"name": "b", "parent": None}}}
    assert shop.passed(COMPLETED | added, writer) == WHOLE


OPTIONAL = ("roktSessionId", "locale", "items", "payPalOrderId", "merchantId", "attributes")


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_field_with_a_default_that_the_partner_dropped_takes_the_default(shop: Shop, name: str) -> None:
    writer = schema()
    writer["fields"].remove(field(writer, name))
    event = completed(shop.passed(COMPLETED, writer))
    if name == "items":
        assert event.items == ()
    elif name == "attributes":
        assert not event.attributes
    else:
        assert (event.cart_id, event.items) == (WHOLE.cart_id, WHOLE.items)


def test_a_field_of_an_item_that_the_partner_dropped_takes_the_default(shop: Shop) -> None:
    writer = schema()
    of_item = item_record(writer)
    of_item["fields"] = [field(of_item, "cartItemId"), field(of_item, "itemReservationId")]
    assert completed(shop.passed(COMPLETED, writer)).items == (CompletedItem("item-1", "reservation-1"),)


@pytest.mark.parametrize("name", ["eventId", "cartId", "orderId", "occurredAt"])
def test_a_field_without_a_default_that_the_partner_dropped_makes_its_records_unreadable(shop: Shop, name: str) -> None:
    writer = schema()
    writer["fields"].remove(field(writer, name))
    assert isinstance(shop.passed(COMPLETED, writer), Undecodable | InvalidEvent)


def test_fields_in_another_order_do_not_matter(shop: Shop) -> None:
    writer = schema()
    item_record(writer)["fields"].reverse()
    writer["fields"].reverse()
    assert shop.passed(COMPLETED, writer) == WHOLE


def test_a_field_that_the_partner_always_fills_need_not_be_nullable(shop: Shop) -> None:
    writer = schema()
    for name in ("roktSessionId", "locale"):
        field(writer, name)["type"] = "string"
        del field(writer, name)["default"]
    of_item = item_record(writer)
    field(of_item, "itemReservationId")["type"] = "string"
    del field(of_item, "itemReservationId")["default"]
    assert shop.passed(COMPLETED, writer) == WHOLE


def test_a_union_that_names_null_last_is_read(shop: Shop) -> None:
    writer = schema()
    field(writer, "locale").update({"type": ["string", "null"], "default": "en"})
    assert completed(shop.passed(COMPLETED, writer)).locale == "en-US"
    assert completed(shop.passed(COMPLETED | {"locale": None}, writer)).locale is None


def test_a_time_in_microseconds_is_the_same_time(shop: Shop) -> None:
    writer = schema()
    field(writer, "occurredAt")["type"] = {"type": "long", "logicalType": "timestamp-micros"}
    assert completed(shop.passed(COMPLETED, writer)).occurred_at == AT_MS


def test_strings_with_javas_annotation_are_strings(shop: Shop) -> None:
    text = json.dumps(schema()).replace('"string"', '{"type": "string", "avro.java.string": "String"}')
    assert shop.passed(COMPLETED, json.loads(text)) == WHOLE


@pytest.mark.parametrize("namespace", ["com.shop.events", "partner.orders.v2", None])
def test_another_namespace_does_not_matter(shop: Shop, namespace: str | None) -> None:
    writer = schema()
    if namespace is None:
        del writer["namespace"]
    else:
        writer["namespace"] = namespace
    assert shop.passed(COMPLETED, writer) == WHOLE


@pytest.mark.parametrize("kind", ["CheckoutCompleted", "OrderCancelled", "CartAbandoned"])
@pytest.mark.parametrize(("name", "namespace"), [("LineItem", None), ("Item", "com.shop.common"), ("Order", "x.y.z")])
def test_nested_records_may_have_other_names(shop: Shop, kind: EventType, name: str, namespace: str | None) -> None:
    writer = schema(kind)
    of_item = item_record(writer)
    of_item["name"] = name
    if namespace is not None:
        of_item["namespace"] = namespace
    value = {"CheckoutCompleted": COMPLETED, "OrderCancelled": CANCELLED, "CartAbandoned": ABANDONED}[kind]
    assert shop.passed(value, writer) == shop.passed(value, schema(kind))


def test_an_array_of_nullable_items_under_another_name_is_read(shop: Shop) -> None:
    writer = schema()
    of_items = field(writer, "items")["type"]
    of_items["items"] = ["null", of_items["items"] | {"name": "Line"}]
    assert shop.passed(COMPLETED, writer) == WHOLE


def test_an_item_that_is_null_is_undecodable_and_not_a_defect(shop: Shop) -> None:
    writer = schema()
    of_items = field(writer, "items")["type"]
    of_items["items"] = ["null", of_items["items"]]
    assert isinstance(shop.passed(COMPLETED | {"items": [*COMPLETED["items"], None]}, writer), Undecodable)


def test_a_price_of_more_bytes_than_any_has_is_an_invalid_event(shop: Shop) -> None:
    writer = schema()
    field(item_record(writer), "unitPrice")["type"][1] = {"type": "bytes"}
    item = COMPLETED["items"][0] | {"unitPrice": b"\x01" * 40}
    assert isinstance(shop.passed(COMPLETED | {"items": [item]}, writer), InvalidEvent), "it is no decimal"
    written = shop.write(COMPLETED, schema())
    assert isinstance(shop.read(written.replace(b"\x06\x03\x0c\xdc", b"\x28" + b"\x01" * 20, 1)), InvalidEvent)


def test_a_nested_record_that_is_named_before_it_is_used_is_read(shop: Shop) -> None:
    writer = schema()
    of_item = item_record(writer) | {"name": "Line"}
    field(writer, "items")["type"]["items"] = "Line"
    writer["fields"].insert(0, {"name": "first", "type": ["null", of_item], "default": None})
    assert shop.passed(COMPLETED | {"first": COMPLETED["items"][0]}, writer) == WHOLE


def test_an_event_may_be_the_name_of_the_item_too(shop: Shop) -> None:
    """A record's short name may stand in two namespaces."""
    writer = schema()
    item_record(writer).update({"name": "CheckoutCompleted", "namespace": "com.shop.items"})
    assert shop.passed(COMPLETED, writer) == WHOLE


def test_a_schema_with_references_is_read(shop: Shop) -> None:
    writer = schema()
    of_item = item_record(writer) | {"name": "Line", "namespace": "com.shop.common"}
    price = field(of_item, "unitPrice")["type"][1]
    assert price["logicalType"] == "decimal"
    shop.register("line", of_item)
    field(writer, "items")["type"]["items"] = "com.shop.common.Line"
    assert shop.passed(COMPLETED, writer, [SchemaReference("com.shop.common.Line", "line", 1)]) == WHOLE


def test_a_schema_with_references_of_references_is_read(shop: Shop) -> None:
    money = {"type": "record", "name": "Money", "namespace": "c", "fields": [{"name": "cents", "type": "long"}]}
    shop.register("money", money)
    writer = schema()
    of_item = item_record(writer) | {"name": "Line", "namespace": "c"}
    of_item["fields"].append({"name": "tax", "type": ["null", "c.Money"], "default": None})
    to_money = [SchemaReference("c.Money", "money", 1)]
    shop.register("line-with-tax", of_item, to_money)
    field(writer, "items")["type"]["items"] = "c.Line"
    item = COMPLETED["items"][0] | {"tax": {"cents": 5}}
    references = [SchemaReference("c.Line", "line-with-tax", 1), *to_money]
    assert shop.passed(COMPLETED | {"items": [item]}, writer, references) == WHOLE


def union() -> list[dict[str, Any]]:
    return [schema("CheckoutCompleted"), schema("OrderCancelled"), schema("CartAbandoned")]


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("CheckoutCompleted", COMPLETED, CheckoutCompleted),
        ("OrderCancelled", CANCELLED, OrderCancelled),
        ("CartAbandoned", ABANDONED, CartAbandoned),
    ],
)
def test_a_union_of_the_three_events_is_read(shop: Shop, name: str, value: dict[str, Any], kind: type) -> None:
    assert isinstance(shop.passed((f"partner.orders.v1.{name}", value), union()), kind)
    assert isinstance(shop.passed((f"partner.orders.v1.{name}", value), ["null", *reversed(union())]), kind)


def test_a_union_of_references_is_read(shop: Shop) -> None:
    references = []
    for kind in FILES:
        shop.register(kind, schema(kind))
        references.append(SchemaReference(f"partner.orders.v1.{kind}", kind, 1))
    names = [f"partner.orders.v1.{kind}" for kind in FILES]
    assert isinstance(shop.passed((names[1], CANCELLED), names, references), OrderCancelled)
    assert shop.passed((names[0], COMPLETED), names, references) == WHOLE


def test_a_member_of_a_union_that_is_no_event_is_undecodable_and_the_others_are_read(shop: Shop) -> None:
    shipped = {"type": "record", "name": "Shipped", "namespace": "x", "fields": [{"name": "id", "type": "string"}]}
    both = [shipped, schema(), "string"]
    assert isinstance(shop.passed(("x.Shipped", {"id": "1"}), both), Undecodable)
    assert isinstance(shop.passed("text", both), Undecodable)
    assert shop.passed(("partner.orders.v1.CheckoutCompleted", COMPLETED), both) == WHOLE


@pytest.mark.parametrize(
    ("value", "writer"),
    [
        ("text", {"type": "string"}),
        (5, {"type": "int"}),
        ({"a": 1}, {"type": "map", "values": "int"}),
        ({"id": "1"}, {"type": "record", "name": "Shipped", "fields": [{"name": "id", "type": "string"}]}),
        ("A", {"type": "enum", "name": "CheckoutCompleted", "symbols": ["A"]}),
    ],
)
def test_a_schema_that_is_none_of_the_events_is_undecodable(shop: Shop, value: object, writer: object) -> None:
    assert isinstance(shop.passed(value, writer), Undecodable)


@pytest.mark.parametrize(
    ("name", "as_type", "value"),
    [
        ("cartId", "long", 5),
        ("cartId", {"type": "array", "items": "string"}, ["c"]),
        ("occurredAt", "string", "2026-11-22T10:00:00Z"),
        ("attributes", {"type": "map", "values": "long"}, {"a": 5}),
        ("items", {"type": "array", "items": "string"}, ["item-1"]),
        ("locale", ["null", "long"], 5),
    ],
)
def test_a_writers_schema_that_does_not_resolve_is_undecodable(
    shop: Shop, name: str, as_type: object, value: object
) -> None:
    writer = schema()
    field(writer, name).pop("default", None)
    field(writer, name)["type"] = as_type
    assert isinstance(shop.passed(COMPLETED | {name: value}, writer), Undecodable)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "5",
        "[]",
        "{}",
        '{"type": "record"}',
        '{"type": "record", "name": 5, "fields": []}',
        '{"type": "record", "name": "CheckoutCompleted", "fields": [{"name": "cartId"}]}',
        '{"type": "record", "name": "CheckoutCompleted", "fields": [{"name": "cartId", "type": "Missing"}]}',
        '{"type": "record", "name": "CheckoutCompleted", "fields": 5}',
        '{"type": ["null"]}',
        "[" * 100_000,
        '["partner.orders.v1.Missing"]',
    ],
)
def test_a_schema_that_cannot_be_parsed_is_unusable_and_no_end_of_the_worker(text: str) -> None:
    assert isinstance(resolve(text, {}, READERS), Unusable)


def test_a_reference_that_cannot_be_parsed_is_unusable_and_no_end_of_the_worker() -> None:
    assert isinstance(resolve(json.dumps(schema()), {"a": "{"}, READERS), Unusable)


@pytest.mark.parametrize("name", ["cartId", "orderId", "eventId"])
def test_an_empty_id_is_invalid(shop: Shop, name: str) -> None:
    found = shop.passed(COMPLETED | {name: ""}, schema())
    assert isinstance(found, InvalidEvent)
    assert name in found.message


def test_an_item_without_reservation_and_quantity_is_invalid(shop: Shop) -> None:
    item = {"cartItemId": "item-1"}
    assert isinstance(shop.passed(COMPLETED | {"items": [item]}, schema()), InvalidEvent)


@pytest.mark.parametrize("name", ["roktSessionId"])
def test_what_cannot_be_a_header_is_invalid_and_not_quoted(shop: Shop, name: str) -> None:
    found = shop.passed(COMPLETED | {name: "canary-7f3a\r\nx: y"}, schema())
    assert isinstance(found, InvalidEvent)
    assert "canary" not in found.message


def test_ten_thousand_items_are_read(shop: Shop) -> None:
    items = [COMPLETED["items"][0] | {"cartItemId": f"item-{n}"} for n in range(10_000)]
    assert len(completed(shop.passed(COMPLETED | {"items": items}, schema())).items) == 10_000


def test_a_schema_id_that_the_registry_does_not_know_is_undecodable(shop: Shop) -> None:
    written = shop.write(COMPLETED, schema())
    assert isinstance(shop.read(b"\x00\x00\x00\x27\x0f" + written[5:]), Undecodable)


def test_every_truncation_and_every_trailing_byte_is_undecodable(shop: Shop) -> None:
    written = shop.write(COMPLETED, schema())
    for length in range(len(written)):
        assert isinstance(shop.read(written[:length]), Undecodable), length
    assert isinstance(shop.read(written + b"\x00"), Undecodable)


def test_logical_types_that_the_reader_does_not_have_are_read_as_the_types_beneath(shop: Shop) -> None:
    theirs = schema()
    for field in theirs["fields"]:
        if field["name"] == "eventId":
            field["type"] = {"type": "string", "logicalType": "uuid"}
        if field["name"] == "occurredAt":
            field["type"] = {"type": "long", "logicalType": "local-timestamp-millis"}
    number = "5d7e7f2e-5d8d-4a57-9d25-4f0b3f8c2d11"
    found = shop.passed(COMPLETED | {"eventId": uuid.UUID(number)}, theirs)
    assert isinstance(found, CheckoutCompleted)
    assert found.event_id == number
