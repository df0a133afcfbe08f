"""The Avro schemas that the worker reads onto and writes with, from the folder `schemas/`.

Resolution follows Avro 1.12, "Schema Resolution": fields are matched by name, the partner may add, drop and reorder
them. Two things are made easier than the letter: records inside an event may have any name (the contract fixes the
events' names only), and a schema may be a union of events.
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
UNDERSTOOD = ("decimal", "timestamp-millis", "timestamp-micros")

_MALFORMED = (LookupError, ValueError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Branch:
    """One event that a writer's schema can hold: how it was written and what it is read onto."""

    kind: EventType
    writer: Schema
    reader: Schema


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
        for referenced in references.values():
            parse_schema(_plain(json.loads(referenced)), named)
        writer = parse_schema(_plain(json.loads(text)), named)
    except (SchemaParseException, UnknownType, *_MALFORMED) as error:
        return Unusable(f"the registry's schema cannot be parsed ({type(error).__name__})")
    members = writer if isinstance(writer, list) else [writer]
    branches = tuple(_branch(named.get(m, m) if isinstance(m, str) else m, named, readers) for m in members)
    if not any(branches):
        return Unusable(f"the writer's schema is none of {', '.join(readers)}")
    return Resolved(branches, union=isinstance(writer, list))


def _plain(schema: Schema) -> Schema:
    """The schema with only those logical types that the readers have too; of the others Avro takes the type beneath."""
    if isinstance(schema, list):
        return [_plain(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) if name in NESTED else value for name, value in schema.items()}
    logical = str(plain.get("logicalType", "")).removeprefix("local-")
    if logical in UNDERSTOOD:
        return plain | {"logicalType": logical}
    plain.pop("logicalType", None)
    return plain


def _branch(writer: Schema, named: dict[str, Any], readers: dict[EventType, dict[str, Any]]) -> Branch | None:
    if not isinstance(writer, dict) or writer.get("type") != "record":
        return None
    kind = event_type(str(writer["name"]).rsplit(".", 1)[-1])
    if kind is None:
        return None
    reader = copy.deepcopy(readers[kind])
    _take_names(reader, _expanded(writer, named))
    whole = {"__fastavro_parsed": True, **writer, "__named_schemas": dict(named)}
    return Branch(kind, whole, fastavro.parse_schema(reader))


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
