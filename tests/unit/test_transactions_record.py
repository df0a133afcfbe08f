"""The record of a transaction: in Avro with a registry and in JSON without."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import fastavro

from worker.decode.schemas import TRANSACTION, load
from worker.transactions.record import as_json, fields
from worker.transactions.transaction import Transaction

AT = datetime(2026, 11, 22, 10, 0, 0, 123_000, UTC)
ONE = Transaction(
    "t-1",
    {"transactionId": "t-1", "n": 2, "amount": Decimal("1E+2"), "ok": True, "at": "2026-11-22T09:59:59.000Z"},
    {"basket": "zoë"},
)
VALUES = {"transactionId": "t-1", "n": "2", "amount": "100", "ok": "true", "at": "2026-11-22T09:59:59.000Z"}


def test_the_json_says_what_was_sent_and_when_it_came() -> None:
    assert json.loads(as_json(ONE, AT)) == {
        "transactionId": "t-1",
        "receivedAt": "2026-11-22T10:00:00.123Z",
        "values": VALUES,
        "attributes": {"basket": "zoë"},
    }


def test_the_time_is_told_in_utc() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=2)))
    assert as_json(ONE, elsewhere) == as_json(ONE, AT)


def test_avro_says_the_same() -> None:
    schema = fastavro.parse_schema(load(TRANSACTION))
    written = io.BytesIO()
    fastavro.schemaless_writer(written, schema, fields(ONE, AT), strict=True)
    written.seek(0)
    read = fastavro.schemaless_reader(written, schema, None)
    assert isinstance(read, dict)
    assert read | {"receivedAt": "2026-11-22T10:00:00.123Z"} == json.loads(as_json(ONE, AT))
    assert read["receivedAt"] == AT
