"""How many records a second a dry run goes through, and in how much memory: `python -m bench.dry_run`.

A topic full of confirms on a real Kafka, of which an SQLite ledger holds all but one in a hundred as settled. The dry
run is a process of its own, as its users start it; its CPU is that of all its threads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.ledger_rows import CALL, ITEM, OWNER
from bench.shop import value
from infra import real_kafka
from infra.brokers import Broker, fresh
from infra.commands import environment
from worker.decode.decoder import Decoder
from worker.events import CheckoutCompleted
from worker.ledger.sqlite import SqliteStore
from worker.mapping import Call, map_event

PARTITIONS = 8
UNSETTLED = 100
STEP = 20_000


async def fill(path: Path, events: int) -> None:
    """A settled row for nearly every event, with the key that it has."""
    store = SqliteStore(path, timeout_seconds=30)
    await store.open()
    await store.close()
    decoder = Decoder({}, None)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = off")
    now = int(time.time() * 1000)
    columns = (*CALL, "changed_at_ms")
    adding = f"INSERT INTO calls ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    rows: list[tuple[object, ...]] = []
    for number in range(events):
        event = await decoder.decode("", value(number))
        assert isinstance(event, CheckoutCompleted)
        call = map_event(event)
        assert isinstance(call, Call)
        if number % UNSETTLED:
            rows.append(
                (
                    *(call.key, "confirm", call.cart_id, call.order_id, call.fingerprint, event.event_id, now),
                    *("checkout-completed", 3, number, None, OWNER, number, now, 0, 1, "succeeded", 200, ITEM, now),
                    *(1, now),
                )
            )
    rows.sort(key=lambda row: str(row[0]))
    for first in range(0, len(rows), STEP):
        connection.execute("BEGIN")
        connection.executemany(adding, rows[first : first + STEP])
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def measure(broker: Broker, events: int, folder: Path) -> None:
    topic = fresh("checkout-completed")
    others = fresh("order-cancelled"), fresh("cart-abandoned")
    broker.create_topics(topic, *others, partitions=PARTITIONS)
    subprocess.run([sys.executable, "-m", "bench.shop", broker.bootstrap, topic, str(events)], check=True)
    subprocess.run(
        [sys.executable, "-m", "bench.dry_run", "--fill", str(folder / "ledger.db"), str(events)], check=True
    )
    settings = {
        "WORKER_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
        "WORKER_TOPICS__CHECKOUT_COMPLETED": topic,
        "WORKER_TOPICS__ORDER_CANCELLED": others[0],
        "WORKER_TOPICS__CART_ABANDONED": others[1],
        "WORKER_ROKT__API_KEY": "none",
        "WORKER_ROKT__TAG_ID": "none",
        "WORKER_LEDGER__URL": f"sqlite:///{folder / 'ledger.db'}",
    }
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "replay", "--since", since, "--dry-run", "--json"],
        env=environment(settings),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, process.returncode, used = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    told = json.loads(said)
    assert told["records"] == events, told
    reading, cpu = told["readSeconds"], used.ru_utime + used.ru_stime
    print(
        f"{events:,} records in {took:.1f} s from start to end, {reading:.1f} s of it reading and asking: "
        f"{events / reading:,.0f} a second, {cpu / events * 1e6:.0f} µs of CPU each; "
        f"at most {used.ru_maxrss / 1024:.0f} MiB",
        flush=True,
    )
    print(json.dumps(told["calls"], indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--fill", nargs=2, metavar=("FILE", "EVENTS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fill:
        asyncio.run(fill(Path(given.fill[0]), int(given.fill[1])))
        return
    broker, remove = real_kafka.find()
    try:
        for events in given.events:
            with tempfile.TemporaryDirectory() as folder:
                measure(broker, events, Path(folder))
    finally:
        remove()


if __name__ == "__main__":
    main()
