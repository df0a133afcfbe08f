"""What the logical types of an event's fields mean (Avro 1.12, "Logical Types"): moments and prices. Pure.

The library reads a decimal or a moment in several times what the number beneath it takes, so it is given schemas that
name none: the types stand under another word there, and what they mean is found here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

Schema = Any

MEANT: Final = "meant"
MICROS: Final = "timestamp-micros"
DECIMAL: Final = "decimal"
UNDERSTOOD: Final = (DECIMAL, "timestamp-millis", MICROS)
DECIMAL_BYTES: Final = 16
"""Longer ones are no prices; turning them into numbers would take ever longer."""
NO_PRICE: Final = Decimal("NaN")


class Logical(Struct, frozen=True):
    """Of one writer's event: whether its moment is in microseconds, and the scales of its items' decimals by field."""

    micros: bool
    scales: tuple[tuple[str, int], ...]


def renamed(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with the logical type that is understood under another word, and without any other."""
    bare = {name: value for name, value in schema.items() if name != "logicalType"}
    logical = str(schema.get("logicalType", "")).removeprefix("local-")
    return bare | {MEANT: logical} if logical in UNDERSTOOD else bare


def logical_of(event: Schema, item: Schema) -> Logical:
    """Of an event's record and its items', both whole and `renamed`."""
    moment, prices = _by_field(event).get("occurredAt", {}), _by_field(item) if item else {}
    scales = [(name, int(price.get("scale", 0))) for name, price in prices.items() if price.get(MEANT) == DECIMAL]
    return Logical(moment.get(MEANT) == MICROS, tuple(scales))


def understand(fields: dict[str, Any], logical: Logical) -> dict[str, Any]:
    """An event's fields with their moments in milliseconds and their decimals as such, in place."""
    if logical.micros:
        fields["occurredAt"] //= 1000
    for name, scale in logical.scales:
        for item in fields["items"]:
            if isinstance(digits := item.get(name), bytes):
                item[name] = _decimal(digits, scale)
    return fields


def _decimal(digits: bytes, scale: int) -> Decimal:
    if len(digits) > DECIMAL_BYTES:
        return NO_PRICE
    return Decimal(int.from_bytes(digits, "big", signed=True)).scaleb(-scale)


def _by_field(record: Schema) -> dict[str, Mapping[str, Any]]:
    return {field["name"]: _meant(field["type"]) for field in record["fields"]}


def _meant(schema: Schema) -> Mapping[str, Any]:
    """The type with the logical type, in a union too; nothing where there is none."""
    for one in schema if isinstance(schema, list) else [schema]:
        if isinstance(one, dict) and MEANT in one:
            return one
    return {}
