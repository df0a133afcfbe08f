"""One record's value to an event: Avro in the Confluent wire format, or JSON; told apart by the first byte.

Wire format: Confluent Schema Registry, "Wire format": byte 0, four bytes of schema id (big-endian), Avro body.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Protocol

import fastavro
import msgspec
from msgspec import Struct

from worker.decode.logical import understand
from worker.decode.schemas import Branch, Resolved, Unusable
from worker.events import Event, EventType, Invalid, event_type, from_fields, from_json

MAGIC = 0
FRAME = 5


class Tombstone(Struct, frozen=True):
    """A null value: nothing to read, nothing to do."""


class Undecodable(Struct, frozen=True):
    """The bytes are no event in either format. `message` quotes nothing of them."""

    message: str
    exception: str = ""


class InvalidEvent(Struct, frozen=True):
    """The bytes can be read, but a field is missing, of the wrong type, or breaks a rule."""

    message: str
    exception: str = ""


Decoded = Event | Tombstone | Undecodable | InvalidEvent


class WriterSchemas(Protocol):
    """Where writers' schemas come from. `cached` never waits; `fetch` asks, and raises RegistryUnavailable."""

    def cached(self, schema_id: int) -> Resolved | Unusable | None: ...

    async def fetch(self, schema_id: int) -> Resolved | Unusable: ...


class _Envelope(msgspec.Struct, rename="camel"):
    event_type: str | None = None


class Decoder:
    """Decodes values. `topics` gives the event type a topic is configured for, None where it carries several."""

    def __init__(self, topics: Mapping[str, EventType | None], schemas: WriterSchemas | None) -> None:
        self._topics = topics
        self._schemas = schemas

    async def decode(self, topic: str, value: bytes | None) -> Decoded:
        """The event in a value. Raises RegistryUnavailable while a schema that is needed cannot be had."""
        if value is None:
            return Tombstone()
        if not value:
            return Undecodable("the value is empty")
        if value[0] != MAGIC:
            return self._json(topic, value)
        if len(value) <= FRAME:
            return Undecodable(f"an Avro value is at least {FRAME + 1} bytes long, this one {len(value)}")
        if self._schemas is None:
            return Undecodable("the value is Avro, and no registry is set (WORKER_REGISTRY__URL)")
        schema_id = int.from_bytes(value[1:FRAME], "big")
        schema = self._schemas.cached(schema_id) or await self._schemas.fetch(schema_id)
        if isinstance(schema, Unusable):
            return Undecodable(f"schema {schema_id}: {schema.why}")
        return self._avro(schema, schema_id, value)

    def _avro(self, schema: Resolved, schema_id: int, value: bytes) -> Decoded:
        body = io.BytesIO(value)
        body.seek(FRAME)
        try:
            branch = schema.branches[_member(body) if schema.union else 0]
            if branch is None:
                return Undecodable(f"schema {schema_id}: this member of the union is no event")
            fields = understand(_read(body, branch), branch.logical)
        except Exception as error:
            return Undecodable(f"schema {schema_id}: the body cannot be read onto the event", _name(error))
        if left := len(value) - body.tell():
            return Undecodable(f"schema {schema_id}: {left} bytes are left over behind the {branch.kind}")
        try:
            return from_fields(branch.kind, fields)
        except Invalid as error:
            return InvalidEvent(str(error), _name(error))

    def _json(self, topic: str, value: bytes) -> Decoded:
        try:
            text = value.decode()
            named = msgspec.json.decode(text, type=_Envelope).event_type
        except UnicodeDecodeError as error:
            return Undecodable(f"neither Avro (first byte 0) nor UTF-8 (byte {error.start})", _name(error))
        except msgspec.ValidationError as error:
            if "$.eventType" in str(error):
                return InvalidEvent(str(error), _name(error))
            return Undecodable(f"not a JSON object: {error}", _name(error))
        except (msgspec.DecodeError, RecursionError) as error:
            return Undecodable(f"neither Avro (first byte 0) nor JSON: {_safe(error)}", _name(error))
        kind = event_type(named) if named else self._topics.get(topic)
        if kind is None:
            return InvalidEvent(_unknown_type(named))
        try:
            return from_json(kind, text)
        except Invalid as error:
            return InvalidEvent(str(error), _name(error))
        except (msgspec.DecodeError, RecursionError) as error:
            return Undecodable(f"not JSON all the way through: {_safe(error)}", _name(error))


def _member(body: io.BytesIO) -> int:
    """The place of a union's member, written as an Avro long."""
    place = fastavro.schemaless_reader(body, "long", None)
    if not isinstance(place, int) or place < 0:
        raise IndexError(place)
    return place


def _read(body: io.BytesIO, branch: Branch) -> dict[str, Any]:
    fields = fastavro.schemaless_reader(body, branch.writer, None if branch.alike else branch.reader)
    if not isinstance(fields, dict):
        raise TypeError(type(fields).__name__)
    return fields


def _unknown_type(named: str | None) -> str:
    if named:
        return "eventType is none of CheckoutCompleted, OrderCancelled, CartAbandoned"
    return "no eventType, and the topic is not configured for one type only"


def _safe(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _name(error: Exception) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
