"""Whether what one Avro schema writes can be read by another, and what stands in the way."""

from __future__ import annotations

from typing import Any

import fastavro
import pytest

from worker.decode.schemas import FILES, load
from worker.doctor.judging.schemas import unreadable


def record(*fields: dict[str, Any], name: str = "R") -> Any:
    return fastavro.parse_schema({"type": "record", "name": name, "fields": list(fields)})


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def many(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def by_name(values: Any) -> dict[str, Any]:
    return {"type": "map", "values": values}


ITEM = {"type": "record", "name": "Item", "fields": [field("id", "string")]}
OTHER_ITEM = {"type": "record", "name": "Other", "fields": [field("id", "int")]}
NODE = {"type": "record", "name": "Node", "fields": [field("next", ["null", "Node"])]}


@pytest.mark.parametrize("name", FILES.values())
def test_every_schema_reads_itself(name: str) -> None:
    assert unreadable(fastavro.parse_schema(load(name)), fastavro.parse_schema(load(name))) is None


@pytest.mark.parametrize(
    ("written", "read", "said"),
    [
        (record(field("a", "int")), record(field("a", "long")), None),
        (record(field("a", "long")), record(field("a", "int")), "field a is written as long, and read as int"),
        (record(field("a", "string")), record(field("a", "bytes")), None),
        (record(field("a", "int"), field("b", "int")), record(field("a", "int")), None),
        (record(), record(field("a", "int")), "field a is not written, and has no default"),
        (record(), record(field("a", "int", default=0)), None),
        (record(field("a", "int")), record(field("a", ["null", "int"])), None),
        (record(field("a", ["null", "int"])), record(field("a", "int")), "field a is written as null, and read as int"),
        (record(field("a", ["null", "string"])), record(field("a", ["null", "int"])), "field a is written as string"),
        (record(field("a", many(ITEM))), record(field("a", many(OTHER_ITEM))),
         "field a.id is written as string, and read as int"),
        (record(field("a", by_name("int"))), record(field("a", by_name("long"))), None),
        (record(field("a", ITEM), field("b", "Item")), record(field("b", ITEM)), None),
        (record(field("a", NODE)), record(field("a", NODE)), None),
        (record(field("a", {"type": "fixed", "name": "F", "size": 4})),
         record(field("a", {"type": "fixed", "name": "F", "size": 8})), "field a is written as fixed"),
    ],
)  # fmt: skip
def test_the_first_field_that_cannot_be_read_is_named(written: Any, read: Any, said: str | None) -> None:
    found = unreadable(written, read)
    assert found is None if said is None else said in (found or "")


def test_records_may_have_other_names() -> None:
    assert unreadable(record(field("a", "int"), name="x.A"), record(field("a", "int"), name="y.B")) is None
