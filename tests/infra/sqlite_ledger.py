"""A store on an SQLite file that is in trouble."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.ledger_clerk import Clerk, confirm
from worker.errors import LedgerUnavailable
from worker.ledger.sqlite import SqliteStore

CALL = confirm("order-1", "r-1")
BUSY_SECONDS = 0.2


@asynccontextmanager
async def unopened(path: Path) -> Any:
    store = SqliteStore(path, timeout_seconds=BUSY_SECONDS)
    try:
        yield store
    finally:
        await store.close()


async def refused(store: SqliteStore, *words: str) -> None:
    """It cannot be asked now; the message has these words, and there is a mend."""
    with pytest.raises(LedgerUnavailable) as error:
        await Clerk(store, "anna").ask(CALL)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert error.value.mend
