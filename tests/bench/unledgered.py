"""The worker with a ledger that is only in its memory, as a yardstick: `python -m bench.unledgered run`."""

from __future__ import annotations

import time

from infra.memory_ledger import MemoryStore, Shelf
from worker import parts
from worker.commands.main import main
from worker.ledger.store import Store
from worker.settings import LedgerSettings


def in_memory(given: LedgerSettings) -> Store:
    """Whatever was configured."""
    return MemoryStore(Shelf(lambda: int(time.time() * 1000)))


if __name__ == "__main__":
    parts.store = in_memory
    main()
