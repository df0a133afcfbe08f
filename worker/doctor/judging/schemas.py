"""Whether what one Avro schema writes can be read by another. Avro 1.12, "Schema Resolution".

Records are compared by their fields and not by their names: those inside an event may have any.
"""

from __future__ import annotations

from typing import Any

Schema = Any
Named = dict[str, Any]

PROMOTED = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def unreadable(writer: Schema, reader: Schema) -> str | None:
    """The first thing that stands in the way, in words; None where all can be read."""
    return _compared(writer, reader, (_names(writer), _names(reader)), "", frozenset())


def _compared(
    writer: Schema, reader: Schema, named: tuple[Named, Named], path: str, seen: frozenset[tuple[int, int]]
) -> str | None:
    writer, reader = _followed(writer, named[0]), _followed(reader, named[1])
    if (id(writer), id(reader)) in seen:
        return None
    seen |= {(id(writer), id(reader))}
    if isinstance(writer, list):
        return next((why for one in writer if (why := _compared(one, reader, named, path, seen))), None)
    if isinstance(reader, list):
        against = [_compared(writer, one, named, path, seen) for one in reader]
        return None if None in against else _differs(writer, reader, path)
    written, read = _kind(writer), _kind(reader)
    if written != read:
        return None if read in PROMOTED.get(written, ()) else _differs(writer, reader, path)
    match written:
        case "record" | "error":
            return _fields(writer, reader, named, path, seen)
        case "array":
            return _compared(writer["items"], reader["items"], named, path, seen)
        case "map":
            return _compared(writer["values"], reader["values"], named, path, seen)
        case "fixed" if writer["size"] != reader["size"]:
            return _differs(writer, reader, path)
    return None


def _fields(
    writer: Schema, reader: Schema, named: tuple[Named, Named], path: str, seen: frozenset[tuple[int, int]]
) -> str | None:
    written = {field["name"]: field for field in writer["fields"]}
    for field in reader["fields"]:
        name = field["name"]
        where = f"{path}.{name}" if path else name
        if name in written:
            if why := _compared(written[name]["type"], field["type"], named, where, seen):
                return why
        elif "default" not in field:
            return f"field {where} is not written, and has no default"
    return None


def _differs(writer: Schema, reader: Schema, path: str) -> str:
    return f"{'field ' + path if path else 'it'} is written as {_shown(writer)}, and read as {_shown(reader)}"


def _shown(schema: Schema) -> str:
    return " or ".join(_kind(one) for one in schema) if isinstance(schema, list) else _kind(schema)


def _kind(schema: Schema) -> str:
    return str(schema["type"]) if isinstance(schema, dict) else str(schema)


def _followed(schema: Schema, named: Named) -> Schema:
    """What a name stands for, and a type that is wrapped in another's place."""
    while True:
        if isinstance(schema, str) and schema in named:
            schema = named[schema]
        elif isinstance(schema, dict) and isinstance(schema.get("type"), dict | list):
            schema = schema["type"]
        else:
            return schema


def _names(schema: Schema) -> Named:
    """Every named type in a parsed schema, whose names are whole."""
    found: Named = {}
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            found |= one.get("__named_schemas", {})
            if "name" in one and one.get("type") in ("record", "error", "enum", "fixed"):
                found[one["name"]] = one
            left += [field["type"] for field in one.get("fields", ())]
            left += [one[inner] for inner in ("items", "values") if inner in one]
            if isinstance(one.get("type"), dict | list):
                left.append(one["type"])
    return found
