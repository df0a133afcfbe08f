"""Values that are written in Avro, in the Confluent wire format: byte 0, four bytes of the schema's id, the body."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from worker.stream.avro_writing import compiled


class Registrar(Protocol):
    """Who gives a schema of ours its id."""

    async def register(self, subject: str, schema: dict[str, Any], *, auto_register: bool) -> int: ...


class AvroValues:
    """One topic's, under the subject `<topic>-value`; the id is asked for once.

    Raises RegistryUnavailable while the registry is needed and cannot be had.
    """

    def __init__(self, registry: Registrar, topic: str, schema: dict[str, Any], *, auto_register: bool) -> None:
        self._registry = registry
        self._subject = f"{topic}-value"
        self._auto_register = auto_register
        self._schema = schema
        self._write = compiled(schema)
        self._frame: bytes | None = None
        self._asking = asyncio.Lock()

    async def encode(self, fields: Mapping[str, Any]) -> bytes:
        """The value of a record with these fields; moments are milliseconds since 1970."""
        return (self._frame or await self._framed()) + self._write(fields)

    async def _framed(self) -> bytes:
        """One at a time, so that whatever is to be written at the start is one question."""
        async with self._asking:
            if self._frame is None:
                number = await self._registry.register(self._subject, self._schema, auto_register=self._auto_register)
                self._frame = b"\x00" + number.to_bytes(4, "big")
            return self._frame
