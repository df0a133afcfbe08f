"""What the ledger costs an event, in CPU and in time: `python -m bench.ledger`.

An event here is a confirm of one item: asked for, settled, published. For each store, by the number of events that
share a transaction, on an empty ledger and on one with millions of calls. CPU is this process's, all threads; that of a
PostgreSQL server is not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from bench.ledger_rows import fill_postgres, fill_sqlite
from infra import postgres
from infra.ledger_clerk import Clerk, confirm, settled
from infra.memory_ledger import MemoryStore, Shelf
from infra.postgres import Postgres
from infra.postgres_ledger import PostgresLedger
from infra.unavailable import UnavailableError
from worker.ledger.entries import Ask, Published, Request, Settle
from worker.ledger.sqlite import SqliteStore
from worker.ledger.store import Store
from worker.mapping import Call

KINDS = ("memory", "sqlite", "sqlite-normal", "postgres")
SIZES = (1, 16, 64, 256)
LOOK_UP = 256


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU µs an event by step, µs of time an event, look-ups a second and core, memory of the process in MiB."""

    store: str
    rows: int
    group: int
    ask: float
    settle: float
    published: float
    wall: float
    lookups: float
    memory: float

    @property
    def cpu(self) -> float:
        """All three steps."""
        return self.ask + self.settle + self.published


@asynccontextmanager
async def ledger(kind: str, rows: int, server: Postgres | None) -> AsyncIterator[Store]:
    """A store, opened, on a ledger with so many rows in each table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        if kind == "memory":
            store: Store = MemoryStore(Shelf(lambda: time.time_ns() // 1_000_000))
        elif kind == "postgres":
            assert server is not None
            database = PostgresLedger(server)
            store = database.store()
        else:
            store = SqliteStore(path, timeout_seconds=30, synchronous="normal" if kind.endswith("normal") else "full")
        await store.open()
        try:
            if rows and kind == "postgres":
                await asyncio.to_thread(fill_postgres, database.sql, rows)
            elif rows:
                with ProcessPoolExecutor(1, get_context("spawn")) as process:  # whose memory is not counted here
                    await asyncio.get_running_loop().run_in_executor(process, fill_sqlite, path, rows)
            yield store
        finally:
            await store.close()


async def measure(store: Store, kind: str, rows: int, size: int, events: int) -> Cost:
    """The cost of so many events, in groups of this size."""
    clerk = await Clerk(store, f"{uuid.uuid4()}").begin()
    asks = [clerk.question(_call()) for _ in range(events)]
    keys = [ask.call.key for ask in asks]
    gc.collect()
    began = time.perf_counter()
    spent = [0.0, 0.0, 0.0]
    for first in range(0, events, size):
        group = asks[first : first + size]
        for step, requests in enumerate(_steps(group)):
            before = time.process_time()
            await store.work(requests)
            spent[step] += time.process_time() - before
    wall = time.perf_counter() - began
    before = time.process_time()
    found = [await store.settled(keys[first : first + LOOK_UP]) for first in range(0, events, LOOK_UP)]
    looked = time.process_time() - before
    assert sum(map(len, found)) == events
    ask, settle, published = (seconds / events * 1e6 for seconds in spent)
    return Cost(kind, rows, size, ask, settle, published, wall / events * 1e6, events / looked, _memory())


def _call() -> Call:
    order = str(uuid.uuid4())
    return confirm(f"order {order}", f"reservation {uuid.uuid4()}", cart=f"cart {order}")


def _steps(group: Sequence[Ask]) -> tuple[list[Request], list[Request], list[Request]]:
    settling: list[Request] = [Settle(ask, settled(ask.call)) for ask in group]
    return [*group], settling, [Published(ask.call.key) for ask in group]


def _memory() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def run(kind: str, rows: int, sizes: Sequence[int], events: int, server: Postgres | None) -> list[Cost]:
    """The costs of one store on one ledger, each printed as it is known."""
    costs: list[Cost] = []
    async with ledger(kind, rows, server) as store:
        await measure(store, kind, rows, max(sizes), min(events, 2_048))  # so that the first does not pay for all
        for size in sizes:
            cost = await measure(store, kind, rows, size, min(events, 2_048 * size))
            costs.append(cost)
            print(
                f"{kind:>14} {rows:>11,} {size:>6} {cost.ask:>8.1f} {cost.settle:>8.1f} {cost.published:>10.1f} "
                f"{cost.cpu:>8.1f} {cost.wall:>8.1f} {cost.lookups:>12,.0f} {cost.memory:>8.0f}",
                flush=True,
            )
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--groups", type=int, nargs="+", default=SIZES, help="events in a transaction")
    parser.add_argument("--events", type=int, default=20_000, help="at most, per line")
    parser.add_argument("--rows", type=int, nargs="+", default=[0, 1_000_000], help="rows in each table beforehand")
    parser.add_argument("--huge", action="store_true", help="with ten million rows, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    given = parser.parse_args()
    server, remove = _postgres() if "postgres" in given.stores else (None, None)
    gc.set_threshold(50_000, 20, 100)  # as the worker has it
    heads = f"{'ask':>8} {'settle':>8} {'published':>10} {'CPU µs':>8} {'wall µs':>8} {'look-ups/s':>12} {'MiB':>8}"
    print(f"{'store':>14} {'rows':>11} {'group':>6} {heads}")
    costs: list[Cost] = []
    try:
        for rows in [*given.rows, *([10_000_000] if given.huge else [])]:
            for kind in given.stores:
                if (rows and kind in ("memory", "sqlite-normal")) or (kind == "postgres" and server is None):
                    continue
                costs += asyncio.run(run(kind, rows, given.groups, given.events, server))
    finally:
        if remove is not None:
            remove()
    if given.json:
        given.json.write_text(json.dumps([{**asdict(cost), "cpu": cost.cpu} for cost in costs], indent=2))


def _postgres() -> tuple[Postgres | None, Callable[[], None] | None]:
    try:
        return postgres.find()
    except UnavailableError as error:
        print(f"without PostgreSQL: {error.reason}")
        return None, None


if __name__ == "__main__":
    main()
