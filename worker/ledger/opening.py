"""The choice of a store by the ledger's URL."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from worker.errors import SettingsError
from worker.ledger.sqlite import SqliteStore
from worker.ledger.store import Store

SETTING = "WORKER_LEDGER__URL"
SQLITE = "sqlite:///"


def store_for(url: str, *, timeout_seconds: float, connections: int, synchronous: Literal["full", "normal"]) -> Store:
    """The store that a URL names: `sqlite:///file` (a fourth slash: from the root) or `postgresql://...`.

    `timeout_seconds` bounds each wait for the database. Raises SettingsError.
    """
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).absolute()
        if not path.parent.is_dir():
            raise SettingsError([f"{SETTING}: given {url!r}; there is no folder {path.parent}"])
        return SqliteStore(path, timeout_seconds=timeout_seconds, synchronous=synchronous)
    from worker.ledger.postgres import PostgresStore

    try:
        return PostgresStore(url, parallel=connections, seconds=timeout_seconds)
    except SettingsError as error:
        raise SettingsError([f"{SETTING}: given (not shown); {problem}" for problem in error.problems]) from None
