"""The choice of a store by the ledger's URL."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from worker.errors import SettingsError
from worker.ledger.postgres import PostgresStore
from worker.ledger.sqlite import SqliteStore
from worker.ledger.store import Store

SQLITE = "sqlite:///"


def store_for(url: str, *, timeout_seconds: float, connections: int, synchronous: Literal["full", "normal"]) -> Store:
    """The store that a URL names: `sqlite:///file` (a fourth slash: from the root) or `postgresql://...`.

    `timeout_seconds` bounds each wait for the database. Raises SettingsError.
    """
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).absolute()
        if not path.parent.is_dir():
            raise SettingsError([f"WORKER_LEDGER__URL: given {url!r}; there is no folder {path.parent}"])
        return SqliteStore(path, timeout_seconds=timeout_seconds, synchronous=synchronous)
    return PostgresStore(url, parallel=connections, seconds=timeout_seconds)
