"""What is written of a schema of ours is what Avro's own library writes, and reads back the same."""

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.decode.schemas import OUTCOME, TRANSACTION, load
from worker.stream.avro_writing import compiled

TEXT = st.text(max_size=300)
INT = st.integers(-(2**31), 2**31 - 1)
LONG = st.integers(-(2**63), 2**63 - 1)
MOMENT = st.integers(-62_135_596_800_000, 253_402_300_799_999)


def values(schema: Any) -> st.SearchStrategy[Any]:
    """Whatever a schema allows, with moments as numbers."""
    match schema:
        case "int":
            return INT
        case "long":
            return LONG
        case "string":
            return TEXT
        case "boolean":
            return st.booleans()
        case ["null", other]:
            return st.none() | values(other)
        case {"type": "array", "items": items}:
            return st.lists(values(items), max_size=3)
        case {"type": "map", "values": of}:
            return st.dictionaries(TEXT, values(of), max_size=3)
        case {"type": "record", "fields": fields}:
            return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in fields})
        case {"logicalType": "timestamp-millis"}:
            return MOMENT
        case _:
            return values(schema["type"])


def by_the_library(schema: Any, value: Any) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), value)
    return body.getvalue()


@pytest.mark.parametrize("name", [OUTCOME, TRANSACTION])
def test_a_record_of_ours_is_written_as_the_library_writes_it(name: str) -> None:
    schema = load(name)
    write = compiled(schema)

    @given(values(schema))
    def compare(value: dict[str, Any]) -> None:
        assert write(value) == by_the_library(schema, value)

    compare()


@pytest.mark.parametrize("number", [0, -1, 63, -64, 64, -65, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)])
def test_a_number_is_written_as_the_library_writes_it(number: int) -> None:
    assert compiled("long")(number) == by_the_library("long", number)


@pytest.mark.parametrize(
    "schema", ["bytes", "double", ["string", "null"], ["null", "int", "string"], {"type": "fixed"}]
)
def test_a_schema_with_what_none_of_ours_has_is_refused_at_once(schema: Any) -> None:
    with pytest.raises(ValueError, match="schemas of ours have no"):
        compiled(schema)
