"""Avro's binary encoding (Avro 1.12, "Binary Encoding") of values whose schema is ours, compiled once. Pure.

The library looks for the fitting member of each union anew and takes two and a half times as long; a record is written
for every call. Reading, where schemas are the partner's, is the library's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from worker.varint import varint

Write = Callable[[Any], bytes]


def compiled(schema: Any) -> Write:
    """What writes a value of this schema: integers, strings, booleans, arrays, maps, records, and what may be null.

    Moments are given as whole numbers. Raises ValueError for a schema with anything else in it.
    """
    match schema:
        case "int" | "long":
            return _long
        case "string":
            return _string
        case "boolean":
            return _boolean
        case ["null", other]:
            return _optional(compiled(other))
        case {"type": "array", "items": items}:
            return _array(compiled(items))
        case {"type": "map", "values": values}:
            return _map(compiled(values))
        case {"type": "record", "fields": fields}:
            return _record([(field["name"], compiled(field["type"])) for field in fields])
        case {"type": str(primitive)}:
            return compiled(primitive)
        case _:
            raise ValueError(f"schemas of ours have no {schema!r}")


def _long(number: int) -> bytes:
    """Zigzag: the sign is the lowest bit."""
    return varint(number << 1 if number >= 0 else ~(number << 1))


def _string(text: str) -> bytes:
    written = text.encode()
    return varint(len(written) << 1) + written


def _boolean(value: bool) -> bytes:
    return b"\1" if value else b"\0"


def _optional(write: Write) -> Write:
    return lambda value: b"\0" if value is None else b"\2" + write(value)


def _array(write: Write) -> Write:
    def array(values: Sequence[Any]) -> bytes:
        return _long(len(values)) + b"".join([write(value) for value in values]) + b"\0" if values else b"\0"

    return array


def _map(write: Write) -> Write:
    def of_map(values: Mapping[str, Any]) -> bytes:
        pairs = b"".join([_string(name) + write(value) for name, value in values.items()])
        return _long(len(values)) + pairs + b"\0" if values else b"\0"

    return of_map


def _record(fields: Sequence[tuple[str, Write]]) -> Write:
    return lambda value: b"".join([write(value[name]) for name, write in fields])
