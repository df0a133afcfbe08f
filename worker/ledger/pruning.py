"""Takes out of the ledger what is older than the retention, in small steps, for as long as the worker runs."""

from __future__ import annotations

import asyncio
from functools import partial

from worker.ledger.patience import Patience
from worker.ledger.store import Store

PAUSE_SECONDS = 0.1


async def prune(store: Store, patience: Patience, *, days: int, rows: int, seconds: float) -> None:
    """Steps of so many rows with a short pause between, while there is something to delete; else every `seconds`."""
    while True:
        try:
            pruned = await patience.until_done("prune", partial(store.prune, days, rows))
        except Exception as error:  # a defect, and none that calls should stop for
            patience.lost(error)
            pruned = 0
        await asyncio.sleep(PAUSE_SECONDS if pruned else seconds)
