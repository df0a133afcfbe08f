"""How transactions are written: Avro with a registry, JSON without."""

from __future__ import annotations

from datetime import datetime

from worker.decode.schemas import TRANSACTION, load
from worker.stream.avro_values import AvroValues, Registrar
from worker.transactions.record import as_json, fields
from worker.transactions.transaction import Transaction


class JsonTransactions:
    """JSON; times as RFC 3339 text."""

    async def encode(self, transaction: Transaction, received_at: datetime) -> bytes:
        """The value of the record."""
        return as_json(transaction, received_at)


class AvroTransactions:
    """Avro in the Confluent wire format."""

    def __init__(self, registry: Registrar, topic: str, *, auto_register: bool) -> None:
        self._values = AvroValues(registry, topic, load(TRANSACTION), auto_register=auto_register)

    async def encode(self, transaction: Transaction, received_at: datetime) -> bytes:
        """The value of the record."""
        return await self._values.encode(fields(transaction, received_at))
