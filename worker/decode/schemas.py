"""The Avro schemas that the worker reads onto and writes with, from the folder `schemas/`.

Resolution follows Avro 1.12, "Schema Resolution": fields are matched by name, the partner may add, drop and reorder
them. Two things are made easier than the letter: records inside an event may have any name (the contract fixes the
events' names only), and a schema may be a union of events. Logical types are left out of what is read with, since the
library takes several times as long over them: what they mean stands beside (worker/decode/logical.py).
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException, UnknownType, expand_schema, parse_schema

from worker.decode.logical import Logical, logical_of, renamed
from worker.events import EventType, event_type

Schema = Any

FILES: dict[EventType, str] = {
    "CheckoutCompleted": "checkout-completed",
    "OrderCancelled": "order-cancelled",
    "CartAbandoned": "cart-abandoned",
}
OUTCOME = "rokt-outcomes"
TRANSACTION = "rokt-transactions"
NESTED = ("fields", "type", "items", "values")
PRIMITIVE = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")

_MALFORMED = (LookupError, ValueError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Branch:
    """One event that a writer's schema can hold: how it was written, what it is read onto, what its values mean.

    `alike`: both have the same fields and types, in whatever order, so nothing has to be resolved.
    """

    kind: EventType
    writer: Schema
    reader: Schema
    alike: bool
    logical: Logical


@dataclass(frozen=True, slots=True)
class Resolved:
    """A writer's schema, ready to read with. A union has a branch (or None: not an event) per member."""

    branches: tuple[Branch | None, ...]
    union: bool


@dataclass(frozen=True, slots=True)
class Unusable:
    """A writer's schema that no event can be read from; `why` names schemas and fields only."""

    why: str


def load(name: str) -> dict[str, Any]:
    """The schema in `schemas/<name>.avsc`, installed inside the package or lying beside it in a checkout."""
    installed = files("worker").joinpath("schemas", f"{name}.avsc")
    beside = Path(__file__).parents[2] / "schemas" / f"{name}.avsc"
    text = installed.read_text() if installed.is_file() else beside.read_text()
    schema: dict[str, Any] = json.loads(text)
    return schema


def resolve(text: str, references: dict[str, str], readers: dict[EventType, dict[str, Any]]) -> Resolved | Unusable:
    """A writer's schema (JSON text, with the texts of the schemas it refers to, in order) against the readers'."""
    named: dict[str, Any] = {}
    try:
        *before, whole = (json.loads(one) for one in (*references.values(), text))
        for referenced in before:
            parse_schema(_bare(referenced), named)
        writer = parse_schema(_bare(whole), named)
    except (SchemaParseException, UnknownType, *_MALFORMED) as error:
        return Unusable(f"the registry's schema cannot be parsed ({type(error).__name__})")
    members = writer if isinstance(writer, list) else [writer]
    branches = tuple(_branch(named.get(m, m) if isinstance(m, str) else m, named, readers) for m in members)
    if not any(branches):
        return Unusable(f"the writer's schema is none of {', '.join(readers)}")
    return Resolved(branches, union=isinstance(writer, list))


def _bare(schema: Schema) -> Schema:
    """The schema without logical types, which the library would look after."""
    if isinstance(schema, list):
        return [_bare(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    return renamed({name: _bare(value) if name in NESTED else value for name, value in schema.items()})


def _branch(writer: Schema, named: dict[str, Any], readers: dict[EventType, dict[str, Any]]) -> Branch | None:
    if not isinstance(writer, dict) or writer.get("type") != "record":
        return None
    kind = event_type(str(writer["name"]).rsplit(".", 1)[-1])
    if kind is None:
        return None
    reader, expanded = _bare(copy.deepcopy(readers[kind])), _expanded(writer, named)
    logical = logical_of(expanded, _record_in(_type_of(expanded, "items")))
    whole = {"__fastavro_parsed": True, **writer, "__named_schemas": dict(named)}
    _take_names(reader, expanded)
    return Branch(kind, whole, fastavro.parse_schema(reader), _alike(expanded, reader), logical)


def _alike(writer: Schema, reader: Schema) -> bool:
    """Whether what is written by the one is read by it as by the other, so that nothing has to be resolved."""
    if isinstance(writer, list) or isinstance(reader, list):
        both = isinstance(writer, list) and isinstance(reader, list) and len(writer) == len(reader)
        return both and all(any(_alike(one, other) for other in reader) for one in writer)
    kind = _kind(writer)
    if kind != _kind(reader):
        return False
    match kind:
        case "record":
            fields = {field["name"]: field["type"] for field in reader["fields"]}
            return fields.keys() == {field["name"] for field in writer["fields"]} and all(
                _alike(field["type"], fields[field["name"]]) for field in writer["fields"]
            )
        case "array":
            return _alike(writer["items"], reader["items"])
        case "map":
            return _alike(writer["values"], reader["values"])
        case _:
            return kind in PRIMITIVE


def _kind(schema: Schema) -> Schema:
    return schema["type"] if isinstance(schema, dict) else schema


def _type_of(record: Schema, name: str) -> Schema:
    return next((field["type"] for field in record["fields"] if field["name"] == name), None)


def _expanded(writer: Schema, named: dict[str, Any]) -> Schema:
    try:
        return expand_schema({**writer, "__named_schemas": dict(named), "__fastavro_parsed": True})
    except (SchemaParseException, UnknownType, KeyError, RecursionError):
        return writer


def _take_names(reader: Schema, writer: Schema) -> None:
    """Gives every record inside the reader the name that the writer's has, as an alias."""
    written = {field["name"]: field["type"] for field in writer.get("fields", ())}
    for field in reader["fields"]:
        ours, theirs = _record_in(field["type"]), _record_in(written.get(field["name"]))
        if ours is not None and theirs is not None:
            full = theirs["name"]
            ours["aliases"] = sorted({full, full.rsplit(".", 1)[-1]})
            _take_names(ours, theirs)


def _record_in(schema: Schema) -> dict[str, Any] | None:
    if isinstance(schema, list):
        return next((found for member in schema if (found := _record_in(member))), None)
    if isinstance(schema, dict):
        if schema.get("type") == "record":
            return schema
        return _record_in(schema.get("items", schema.get("values")))
    return None
