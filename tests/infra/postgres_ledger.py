"""A ledger's database on the tests' PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from infra.ledgers import older
from worker.ledger.postgres import PostgresStore

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from infra.postgres import Postgres
    from worker.ledger.store import Store

TIMES: Final = {
    "ledger_calls": ("begun_at_ms", "settled_at_ms", "created_at_ms", "changed_at_ms"),
    "ledger_reservations": ("created_at_ms", "changed_at_ms"),
    "ledger_orders": ("created_at_ms", "changed_at_ms"),
    "ledger_owners": ("until_ms",),
    "ledger_budgets": ("next_us", "at_us"),
    "ledger_notes": ("created_at_ms",),
    "ledger_transactions": ("until_ms", "created_at_ms", "changed_at_ms"),
}


class PostgresLedger:
    """An empty database of a test's own."""

    def __init__(self, server: Postgres, options: str = "") -> None:
        self.server = server
        self.url = server.fresh_database(options)
        self.name = self.url.rpartition("/")[2]

    def store(self) -> Store:
        return PostgresStore(self.url, seconds=5.0)

    def age(self, seconds: float) -> None:
        for table, columns in TIMES.items():
            self.sql(f"UPDATE {table} SET {older(columns, seconds)}")

    def outgrow(self) -> None:
        self.sql("INSERT INTO ledger_schema (version) VALUES (1000)")

    def go_back(self) -> None:
        for table in ("transactions", "kept", "notes", "budgets"):
            self.sql(f"DROP TABLE ledger_{table}")
        for column in ("redo", "span_id"):
            self.sql(f"ALTER TABLE ledger_calls DROP COLUMN {column}")
        self.sql("DELETE FROM ledger_schema WHERE version > 1")

    def sql(self, statement: str) -> list[Any]:
        return self.server.sql(statement, self.name)


def begin(request: pytest.FixtureRequest, folder: Path) -> PostgresLedger:
    """Raises UnavailableError where there is no PostgreSQL and none can be had."""
    return PostgresLedger(request.getfixturevalue("postgres"))
