"""A ledger that has been in use for long: millions of settled calls, made by the database itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

ITEM = (
    '[{"cart_item_id":"item-1","item_reservation_id":"0b6f2f8e-6b1e-4a3c-9a63-3c8f8a3b7f10",'
    '"item_confirmation_id":"c-1","item_confirmation_url":"https://rokt.example/confirmations/1","success":true}]'
)
CONFIRMED = '[{"cart_item_id":"item-1","item_reservation_id":"0b6f2f8e-6b1e-4a3c-9a63-3c8f8a3b7f10"}]'
OWNER = "b2f9c1a0-6a0e-4e7e-9a51-e52d3b9a3b10"
CALL: Mapping[str, str] = {
    "key": "{id}",
    "operation": "'confirm'",
    "cart_id": "'cart-' || n",
    "order_id": "'order-' || n",
    "fingerprint": "{bytes}",
    "event_id": "'event-' || n",
    "occurred_at_ms": "{now}",
    "source_topic": "'checkout-completed'",
    "source_partition": "3",
    "source_offset": "n",
    "trace_id": "'0af7651916cd43dd8448eb211c80319c'",
    "owner": f"'{OWNER}'",
    "token": "n",
    "begun_at_ms": "{now}",
    "maybe_sent": "{no}",
    "attempts": "1",
    "status": "'succeeded'",
    "http_status": "200",
    "items": f"'{ITEM}'",
    "settled_at_ms": "{now}",
    "published": "{yes}",
}
RESERVATION: Mapping[str, str] = {"id": "{id}", "state": "'confirmed'", "key": "''"}
ORDER: Mapping[str, str] = {"id": "{id}", "settled": "1", "items": f"'{CONFIRMED}'", "whole": "{no}"}
STEP = 50_000
TABLES = {"calls": CALL, "reservations": RESERVATION, "orders": ORDER}


def fill_sqlite(path: Path, rows: int) -> None:
    """So many rows in each table of a ledger that has been opened before.

    Their ids are spread evenly, and in order: at random, ten million would take an hour.
    """
    words = {
        "{id}": f"lower(printf('%08x', n * {2**32 // (rows + 1)})||'-'||hex(randomblob(2))||'-4'||"
        "substr(hex(randomblob(2)),2)||'-8'||substr(hex(randomblob(2)),2)||'-'||hex(randomblob(6)))",
        "{bytes}": "randomblob(16)",
        "{now}": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
        "{no}": "0",
        "{yes}": "1",
    }
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = off")
        connection.execute("PRAGMA cache_size = -1000000")
        for first in range(1, rows + 1, STEP):
            last = min(first + STEP, rows + 1) - 1
            numbers = (
                f"WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
            )
            for table, columns in TABLES.items():
                dated = {**columns, "changed_at_ms": "{now}"}
                values = ", ".join(words.get(value, value) for value in dated.values())
                connection.execute(f"INSERT INTO {table} ({', '.join(dated)}) {numbers} SELECT {values} FROM numbers")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def fill_postgres(sql: Callable[[str], object], rows: int) -> None:
    """So many rows in each table of a ledger that has been opened before; in steps, each well under a time limit."""
    words = {
        "{id}": "gen_random_uuid()::text",
        "{bytes}": "decode(md5(n::text), 'hex')",
        "{now}": "(extract(epoch FROM now()) * 1000)::bigint",
        "{no}": "false",
        "{yes}": "true",
    }
    for table, columns in TABLES.items():
        dated = {**columns, "version": "1", "created_at_ms": "{now}", "changed_at_ms": "{now}"}
        values = ", ".join(words.get(value, value) for value in dated.values())
        for first in range(0, rows, STEP):
            numbers = f"generate_series({first + 1}, {min(first + STEP, rows)}) AS n"
            sql(f"INSERT INTO ledger_{table} ({', '.join(dated)}) SELECT {values} FROM {numbers}")
    sql("ANALYZE")
