"""What a record's bytes can do wrong: none of it is the end of the worker, and none of it is quoted."""

import asyncio
import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.decode.decoder import Decoded, Decoder, InvalidEvent, Tombstone, Undecodable
from worker.decode.schemas import FILES, Resolved, Unusable, load, resolve
from worker.errors import RegistryUnavailable
from worker.events import CheckoutCompleted, EventType, OrderCancelled
from worker.mapping import Call, map_event

READERS: dict[EventType, dict[str, Any]] = {kind: load(name) for kind, name in FILES.items()}
KNOWN, NOT_OURS, GONE, DOWN = 1, 2, 3, 4
CANARY = "canary-7f3a"


class Schemas:
    """A registry in memory: one schema of ours, one of others, and one that cannot be asked for at the moment."""

    def cached(self, schema_id: int) -> Resolved | Unusable | None:
        return None

    async def fetch(self, schema_id: int) -> Resolved | Unusable:
        if schema_id == DOWN:
            raise RegistryUnavailable("the registry answered 503")
        if schema_id == KNOWN:
            return resolve(json.dumps(READERS["OrderCancelled"]), {}, READERS)
        if schema_id == NOT_OURS:
            return resolve('{"type": "record", "name": "Shipped", "fields": []}', {}, READERS)
        return Unusable("the registry does not know it")


TOPICS: dict[str, EventType | None] = {"t": "CheckoutCompleted", "o": "OrderCancelled"}
DECODER = Decoder(TOPICS, Schemas())
WITHOUT_REGISTRY = Decoder(TOPICS, None)

JSON = b'{"eventId":"e","occurredAt":0,"cartId":"c","orderId":"o"}'
# eventId "e", occurredAt 0, orderId "o", cartId null, locale null, items [{cartItemId "i", itemReservationId null}]
AVRO = b"\x00\x00\x00\x00\x01" + b"\x02e" + b"\x00" + b"\x02o" + b"\x00\x00" + b"\x02\x02\x02i\x00\x00"


def decoded(value: bytes | None, topic: str = "t", decoder: Decoder = DECODER) -> Decoded:
    return asyncio.run(decoder.decode(topic, value))


def undecodable(value: bytes, topic: str = "t") -> Undecodable:
    found = decoded(value, topic)
    assert isinstance(found, Undecodable), found
    assert found.message
    return found


def test_the_good_bytes_that_the_bad_ones_are_made_of_are_good() -> None:
    assert isinstance(decoded(JSON), CheckoutCompleted)
    assert isinstance(decoded(AVRO), OrderCancelled)


def test_a_tombstone_is_told_apart_from_an_empty_value() -> None:
    assert decoded(None) == Tombstone()
    undecodable(b"")


@pytest.mark.parametrize("length", range(1, len(JSON)))
def test_truncated_json_is_undecodable(length: int) -> None:
    undecodable(JSON[:length])


@pytest.mark.parametrize("length", range(1, len(AVRO)))
def test_truncated_avro_is_undecodable(length: int) -> None:
    undecodable(AVRO[:length])


@pytest.mark.parametrize("magic", [1, 2, 5, 0x7F, 0xFF])
def test_a_wrong_magic_byte_is_undecodable(magic: int) -> None:
    undecodable(bytes([magic]) + AVRO[1:])


@pytest.mark.parametrize("frame", [b"\x00\x00\x00\x00\x03", b"\x00\xff\xff\xff\xff"])
def test_a_schema_id_that_the_registry_does_not_know_is_undecodable(frame: bytes) -> None:
    undecodable(frame + AVRO[5:])


def test_a_writers_schema_that_is_none_of_the_events_is_undecodable() -> None:
    undecodable(b"\x00\x00\x00\x00\x02" + AVRO[5:])


def test_a_registry_that_cannot_be_asked_is_not_the_records_fault() -> None:
    with pytest.raises(RegistryUnavailable):
        decoded(b"\x00\x00\x00\x00\x04" + AVRO[5:])


def test_avro_without_any_registry_is_undecodable_and_the_setting_is_named() -> None:
    found = decoded(AVRO, decoder=WITHOUT_REGISTRY)
    assert isinstance(found, Undecodable)
    assert "WORKER_REGISTRY__URL" in found.message


@pytest.mark.parametrize("tail", [b"\x00", b"x", b"\x00" * 1000, AVRO])
def test_trailing_bytes_behind_an_avro_event_are_undecodable(tail: bytes) -> None:
    undecodable(AVRO + tail)


@pytest.mark.parametrize("tail", [b"x", b"{}", JSON, b"\x00", b","])
def test_trailing_bytes_behind_a_json_event_are_undecodable(tail: bytes) -> None:
    undecodable(JSON + tail)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"])
def test_invalid_utf_8_is_undecodable_in_both_formats(bad: bytes) -> None:
    undecodable(JSON.replace(b'"c"', b'"' + bad + b'"'))
    undecodable(AVRO.replace(b"\x02o", bytes([2 * len(bad)]) + bad))


@pytest.mark.parametrize("value", [b"[]", b"[" + JSON + b"]", b'"x"', b"5", b"null", b"true", b" "])
def test_json_that_is_no_object_is_undecodable(value: bytes) -> None:
    undecodable(value)


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity", b"nan"])
def test_nan_is_no_json(word: bytes) -> None:
    undecodable(JSON.replace(b"0", word))
    undecodable(JSON[:-1] + b',"unknown":' + word + b"}")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":[', b"[0,"])
def test_1_mib_of_nesting_is_undecodable_wherever_it_stands(opening: bytes) -> None:
    nest = opening * (2**20 // len(opening))
    undecodable(nest)
    for field in (b"unknown", b"items", b"attributes", b"cartId", b"eventType"):
        found = decoded(b'{"' + field + b'":' + nest)
        assert isinstance(found, Undecodable | InvalidEvent)
        found = decoded(JSON[:-1] + b',"' + field + b'":' + nest)
        assert isinstance(found, Undecodable | InvalidEvent)


def test_1_mib_of_nesting_that_is_closed_again_is_no_end_of_the_worker() -> None:
    half = 2**19
    found = decoded(JSON[:-1] + b',"unknown":' + b"[" * half + b"]" * half + b"}")
    assert isinstance(found, Undecodable | CheckoutCompleted)


def test_ten_thousand_items_in_avro_are_read() -> None:
    count = b"\xa0\x9c\x01"  # 10,000 as a zigzag long
    event = decoded(AVRO[: -len(b"\x02\x02\x02i\x00\x00")] + count + b"\x02\x02i\x00" * 10_000 + b"\x00")
    assert isinstance(event, OrderCancelled)
    assert len(event.items) == 10_000


@pytest.mark.parametrize(
    "length",
    [b"\x01", b"\xff\xff\xff\xff\x0f", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xff" * 20],
    ids=["negative", "4 GiB", "8 EiB", "endless"],
)
def test_a_length_that_the_bytes_do_not_hold_is_undecodable(length: bytes) -> None:
    undecodable(b"\x00\x00\x00\x00\x01" + length + AVRO[6:])
    undecodable(AVRO[: -len(b"\x02\x02\x02i\x00\x00")] + length + b"\x02\x02i\x00")


@pytest.mark.parametrize("member", [b"\x04", b"\x7e"], ids=["2", "63"])
def test_a_member_of_a_union_that_there_is_not_is_undecodable(member: bytes) -> None:
    undecodable(AVRO.replace(b"\x02o\x00\x00", b"\x02o" + member + b"\x02x\x00"))
    undecodable(AVRO.replace(b"\x02o\x00\x00", b"\x02o" + member + b"\x00"))


def test_a_decimal_of_more_digits_than_its_schema_has_is_not_rounded() -> None:
    event = load(FILES["CheckoutCompleted"])

    class Completed(Schemas):
        async def fetch(self, schema_id: int) -> Resolved | Unusable:
            return resolve(json.dumps(event), {}, READERS)

    unscaled = (1234567890123456789012).to_bytes(10, "big")
    item = b"\x02i" + b"\x00\x00" + b"\x02\x02" + b"\x02" + bytes([2 * len(unscaled)]) + unscaled + b"\x00\x00"
    body = b"\x02e\x00\x02c\x02o\x00\x00" + b"\x02" + item + b"\x00" + b"\x00\x00\x00"
    found = decoded(b"\x00\x00\x00\x00\x01" + body, decoder=Decoder(TOPICS, Completed()))
    assert isinstance(found, InvalidEvent | Undecodable), found


def test_an_avro_time_that_no_calendar_has_is_no_end_of_the_worker() -> None:
    far = b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
    assert isinstance(decoded(AVRO.replace(b"\x02e\x00", b"\x02e" + far)), Undecodable | InvalidEvent)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: AVRO[:5] + tail))
@example(b"\x00")
@example(b"{}")
def test_no_bytes_are_beyond_the_decoder(value: bytes) -> None:
    for topic in ("t", "o", "elsewhere"):
        found = decoded(value, topic)
        assert isinstance(found, Undecodable | InvalidEvent | OrderCancelled | CheckoutCompleted)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(AVRO) - 6), st.integers(0, 255))
def test_one_wrong_byte_of_an_avro_event_is_no_end_of_the_worker(place: int, byte: int) -> None:
    damaged = bytearray(AVRO)
    damaged[5 + place] = byte
    assert isinstance(decoded(bytes(damaged)), Undecodable | InvalidEvent | OrderCancelled)


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["eventId", "occurredAt", "cartId", "orderId", "items", "attributes", "locale", "eventType"]),
)
def test_no_json_value_in_a_field_is_beyond_the_decoder_and_the_mapping(value: object, field: str) -> None:
    fields = json.loads(JSON) | {field: value}
    found = decoded(json.dumps(fields).encode())
    assert isinstance(found, Undecodable | InvalidEvent | CheckoutCompleted)
    if isinstance(found, CheckoutCompleted):
        assert isinstance(map_event(found), Call)


@settings(deadline=None, max_examples=300)
@given(st.decimals() | st.decimals(places=4) | st.floats().map(str), st.sampled_from(["unitPrice", "totalPrice"]))
@example(Decimal("sNaN"), "unitPrice")
@example(Decimal("0E-99999999"), "unitPrice")
@example(Decimal("1E+17"), "unitPrice")
def test_no_price_written_as_text_is_beyond_the_decoder_and_the_mapping(price: object, field: str) -> None:
    item = {"cartItemId": "i", "quantity": 1, field: str(price)}
    found = decoded(json.dumps(json.loads(JSON) | {"items": [item]}).encode())
    assert isinstance(found, InvalidEvent | CheckoutCompleted)
    if isinstance(found, CheckoutCompleted):
        assert isinstance(map_event(found), Call)


def told_of(value: bytes) -> str:
    found = decoded(value)
    assert isinstance(found, Undecodable | InvalidEvent), found
    return found.message + found.exception


@pytest.mark.parametrize(
    "value",
    [
        CANARY.encode(),
        f'"{CANARY}"'.encode(),
        b"\x00\x00\x00\x00\x01" + CANARY.encode(),
        b"\x00\x00\x00\x00\x03" + CANARY.encode(),
        b"\x00\x00\x00\x00\x02" + CANARY.encode(),
        AVRO + CANARY.encode(),
        JSON + CANARY.encode(),
        CANARY.encode() + b"\xff",
        f'{{"{CANARY}": '.encode(),
        f'{{"eventType": "{CANARY}"}}'.encode(),
        f'{{"eventType": ["{CANARY}"]}}'.encode(),
    ],
)
def test_no_part_of_undecodable_bytes_is_in_the_message(value: bytes) -> None:
    assert CANARY not in told_of(value)


@pytest.mark.parametrize(
    "field",
    [
        {"roktSessionId": f"{CANARY}\n"},
        {"occurredAt": CANARY},
        {"attributes": {CANARY: 5}},
        {"attributes": {"email": [CANARY]}},
        {"attributes": CANARY},
        {"items": CANARY},
        {"items": [CANARY]},
        {"items": [{"cartItemId": "i", "quantity": CANARY}]},
        {"items": [{"cartItemId": "i", "quantity": 1, "unitPrice": CANARY}]},
        {"items": [{"cartItemId": CANARY}]},
        {"cartId": [CANARY]},
    ],
)
def test_no_value_of_an_invalid_event_is_in_the_message(field: dict[str, object]) -> None:
    assert CANARY not in told_of(json.dumps(json.loads(JSON) | field).encode())


@pytest.mark.parametrize("price", ["123456.789012", "987654321987654321987"])
def test_no_price_of_an_invalid_event_is_in_the_message(price: str) -> None:
    for written in (price, f'"{price}"'):
        raw = msgspec.json.encode(
            json.loads(JSON)
            | {"items": [{"cartItemId": "i", "quantity": 1, "unitPrice": msgspec.Raw(written.encode())}]}
        )
        assert price[:6] not in told_of(raw)


NAMES = ("eventId", "eventType", "occurredAt", "cartId", "orderId", "roktSessionId", "locale", "items", "attributes")
INNER = ("cartItemId", "itemReservationId", "quantity", "unitPrice", "totalPrice", CANARY)
QUOTABLE = st.recursive(
    st.sampled_from([CANARY, f"{CANARY}\n", f"{CANARY}\x00", CANARY * 99, 7431.99, "7431.99", 7431990000, None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=4),
    max_leaves=6,
)


@settings(deadline=None, max_examples=400)
@given(
    st.dictionaries(st.sampled_from((*NAMES, CANARY)), QUOTABLE, max_size=4),
    st.sampled_from(["CheckoutCompleted", "OrderCancelled", "CartAbandoned"]),
    st.floats(0, 1),
    st.sampled_from([b"", CANARY.encode(), b"\xff" + CANARY.encode()]),
)
def test_whatever_is_wrong_with_json_nothing_of_it_is_in_the_message(
    wrong: dict[str, object], kind: str, kept: float, behind: bytes
) -> None:
    whole = json.dumps(json.loads(JSON) | {"eventType": kind} | wrong).encode()
    for value in (whole, whole[: int(len(whole) * kept)] + behind):
        found = decoded(value)
        if isinstance(found, Undecodable | InvalidEvent):
            assert CANARY not in found.message + found.exception
            assert "7431" not in found.message + found.exception


@settings(deadline=None, max_examples=300)
@given(st.integers(5, len(AVRO)), st.integers(5, len(AVRO)), st.sampled_from([b"", b"\x18", b"\x30", b"\x02"]))
def test_whatever_is_wrong_with_avro_nothing_of_it_is_in_the_message(start: int, end: int, length: bytes) -> None:
    found = decoded(AVRO[:start] + length + CANARY.encode() + AVRO[end:])
    if isinstance(found, Undecodable | InvalidEvent):
        assert CANARY not in found.message + found.exception
