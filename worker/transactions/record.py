"""The record of a transaction: what stands in the topic. schemas/rokt-transactions.avsc with a registry, JSON without.

Its key is the identity. Values are text, so that a form may change without another schema. Pure.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from worker.events import milliseconds, rfc3339
from worker.transactions.kinds import text
from worker.transactions.transaction import Transaction


def fields(transaction: Transaction, received_at: datetime) -> dict[str, Any]:
    """The record's fields by name, the moment in milliseconds since 1970."""
    return {
        "transactionId": transaction.identity,
        "receivedAt": milliseconds(received_at),
        "values": {name: text(value) for name, value in transaction.values.items()},
        "attributes": dict(transaction.attributes),
    }


def as_json(transaction: Transaction, received_at: datetime) -> bytes:
    """The record as JSON; the time as RFC 3339 text."""
    return msgspec.json.encode(fields(transaction, received_at) | {"receivedAt": rfc3339(received_at)})
