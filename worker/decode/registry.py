"""The schema registry, over confluent-kafka's client: writers' schemas by id, and an id for the schema we write.

API: Confluent Schema Registry API reference, `GET /schemas/ids/{id}`, `POST /subjects/{subject}/versions`. Error code
40403 says that there is no such schema; everything else that is not an answer is the registry's trouble.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, Schema, SchemaReference, SchemaRegistryError

from worker.decode.schemas import Resolved, Unusable, resolve
from worker.errors import RegistryUnavailable
from worker.events import EventType

T = TypeVar("T")

Standing = Literal["registered", "registrable", "incompatible"]

NO_SUCH_SCHEMA = 40403
NO_SUCH = (40401, 40402, NO_SUCH_SCHEMA)
MAX_REFERENCES = 100


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a registry: `properties` are those of confluent-kafka's client (URL, credentials, TLS).

    `timeout_seconds` bounds each question as a whole.
    """

    properties: Mapping[str, Any] = field(repr=False)
    timeout_seconds: float


class Registry:
    """Schemas by id, parsed once, kept; one question at a time for each id."""

    def __init__(self, access: Access, readers: dict[EventType, dict[str, Any]]) -> None:
        self._access = access
        self._readers = readers
        self._known: dict[int, Resolved | Unusable] = {}
        self._asked: dict[int, asyncio.Lock] = {}
        self._client = AsyncSchemaRegistryClient(
            {**access.properties, "timeout": access.timeout_seconds, "max.retries": 0}
        )

    def cached(self, schema_id: int) -> Resolved | Unusable | None:
        """What is known of a schema without asking."""
        return self._known.get(schema_id)

    async def fetch(self, schema_id: int) -> Resolved | Unusable:
        """A writer's schema; an id that the registry does not know is Unusable, but not for ever."""
        async with self._asked.setdefault(schema_id, asyncio.Lock()):
            if (known := self._known.get(schema_id)) is not None:
                return known
            try:
                async with asyncio.timeout(self._access.timeout_seconds):
                    found = await self._resolve(schema_id)
            except SchemaRegistryError as error:
                self._asked.pop(schema_id, None)
                if error.error_code in NO_SUCH:
                    return Unusable("the registry does not know it")
                raise _unavailable(error) from None
            except Exception as error:
                raise _unavailable(error) from None
            self._known[schema_id] = found
            self._asked.pop(schema_id, None)
            return found

    async def register(self, subject: str, schema: dict[str, Any], *, auto_register: bool) -> int:
        """The id of a schema of ours under a subject. Raises RegistryUnavailable, also when it is refused."""
        named = Schema(json.dumps(schema), "AVRO")
        try:
            async with asyncio.timeout(self._access.timeout_seconds):
                if auto_register:
                    return int(await self._client.register_schema(subject, named))
                return int((await self._client.lookup_schema(subject, named)).schema_id or 0)
        except SchemaRegistryError as error:
            raise RegistryUnavailable(
                f"the registry answered {error.http_status_code} to the schema of {subject} (code {error.error_code})",
                error.http_status_code,
            ) from None
        except Exception as error:
            raise _unavailable(error) from None

    async def latest(self, subject: str) -> Resolved | Unusable | None:
        """A subject's latest schema; None where there is no such subject. Raises RegistryUnavailable."""

        async def ask() -> Resolved | Unusable:
            return await self._resolve(int((await self._client.get_latest_version(subject)).schema_id or 0))

        return await self._unless_absent(ask, None)

    async def standing(self, subject: str, schema: dict[str, Any]) -> Standing:
        """What registering a schema of ours under a subject would come to. Changes nothing.

        Raises RegistryUnavailable.
        """
        named = Schema(json.dumps(schema), "AVRO")

        async def found() -> Standing:
            await self._client.lookup_schema(subject, named)
            return "registered"

        async def fits() -> Standing:
            return "registrable" if await self._client.test_compatibility(subject, named) else "incompatible"

        standing = await self._unless_absent(found, None)
        return standing or await self._unless_absent(fits, "registrable") or "registrable"

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _unless_absent(self, ask: Callable[[], Awaitable[T]], absent: T | None) -> T | None:
        """The answer to a question about what may not be there."""
        try:
            async with asyncio.timeout(self._access.timeout_seconds):
                return await ask()
        except SchemaRegistryError as error:
            if error.error_code in NO_SUCH:
                return absent
            raise _unavailable(error) from None
        except Exception as error:
            raise _unavailable(error) from None

    async def _resolve(self, schema_id: int) -> Resolved | Unusable:
        schema = await self._client.get_schema(schema_id)
        if (schema.schema_type or "AVRO") != "AVRO" or not schema.schema_str:
            return Unusable(f"it is not an Avro schema but {schema.schema_type}")
        references: dict[str, str] = {}
        await self._collect(schema.references or [], references)
        return resolve(schema.schema_str, references, self._readers)

    async def _collect(self, references: list[SchemaReference], found: dict[str, str]) -> None:
        """Texts of the schemas referred to, those that others need first."""
        for reference in references:
            if reference.name in found or len(found) >= MAX_REFERENCES:
                continue
            version = await self._client.get_version(str(reference.subject), int(reference.version or 1))
            await self._collect(version.schema.references or [], found)
            found[str(reference.name)] = version.schema.schema_str or ""


def _unavailable(error: Exception) -> RegistryUnavailable:
    if isinstance(error, SchemaRegistryError):
        return RegistryUnavailable(f"the registry answered {error.http_status_code}", error.http_status_code)
    return RegistryUnavailable(f"the registry cannot be asked ({type(error).__name__})")
