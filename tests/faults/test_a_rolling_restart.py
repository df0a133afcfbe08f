"""Every worker is replaced, one by one, under load, as deploy/kubernetes does it: a new one first, or in place."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import httpx
import pytest

from faults.books import Books
from faults.load import LONG, Event, Fleet, Journal, stream
from infra.brokers import QUICK, Broker
from infra.ports import free_port
from infra.postgres import Postgres
from infra.rokt import Rokt
from infra.worker import until

MEMBERS = 3
ROUNDS = 5 if LONG else 1
A_SECOND = 100
CARTS = 400
STEADY_SECONDS = 1.0
READY_SECONDS = 60.0
STANDSTILL_SECONDS = 15.0  # a machine that is busy with other things starts a worker late
DEPLOYED = {"WORKER_SHUTDOWN__DRAIN_SECONDS": "20", "WORKER_ROKT__TIMEOUT_SECONDS": "10"}

pytestmark = pytest.mark.timeout(600 if LONG else 180)


class Shop:
    """It publishes so many events a second, over so many carts, until it is closed."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.events: list[Event] = []
        self.published: dict[str, float] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=stream, args=(broker, topic, self._each(), A_SECOND), daemon=True)
        self._thread.start()

    def _each(self) -> Iterator[Event]:
        while not self._closed.is_set():
            number = len(self.events)
            event = Event(f"cart-{number % CARTS}", number // CARTS)
            self.events.append(event)
            yield event
            self.published[event.reservation] = time.time()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()


class Restarting:
    """The workers by their names, each with a port for its probes."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ports: dict[str, int] = {}

    def start(self, *names: str, static: bool) -> None:
        """Ready when this returns."""
        for name in names:
            self._ports[name] = free_port()
            own = {"WORKER_KAFKA__INSTANCE_ID": name} if static else {}
            self._fleet.start(WORKER_HEALTH__PORT=str(self._ports[name]), **own)
        assert until(lambda: all(map(self._is_ready, names)), READY_SECONDS), self._fleet.output()[-3_000:]

    def _is_ready(self, name: str) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._ports[name]}/readyz", timeout=1, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def surge(self) -> None:
        """A new one is ready before an old one goes: `maxSurge: 1, maxUnavailable: 0`."""
        for number, old in enumerate(self._fleet.members()):
            self.start(f"new-{number}", static=False)
            self._fleet.leave(old)
            assert old.wait(self._fleet.drain_seconds + 20) == 0

    def in_place(self) -> None:
        """One after the other goes, and comes back under its name: a StatefulSet."""
        for number, old in enumerate(self._fleet.members()):
            self._fleet.leave(old)
            assert old.wait(self._fleet.drain_seconds + 20) == 0
            self.start(f"worker-{number}", static=True)


WAYS: dict[str, Callable[[Restarting], None]] = {"surge": Restarting.surge, "in place": Restarting.in_place}


@pytest.mark.parametrize("way", WAYS)
def test_a_rolling_restart_loses_nothing_doubles_nothing_and_hardly_anything_waits(
    way: str, kafka: Broker, postgres: Postgres, fleet: Fleet, journal: Journal, rokt: Rokt
) -> None:
    fleet.settings |= DEPLOYED | {"WORKER_LEDGER__URL": postgres.fresh_database()}
    fleet.settings["WORKER_KAFKA__PROPERTIES"] = json.dumps(QUICK)  # heartbeats and a session as they are by default
    del fleet.settings["WORKER_LEDGER__LEASE_SECONDS"]
    rokt.faults(latency={"kind": "uniform", "seconds": 0.1, "spread": 0.05})
    restarting = Restarting(fleet)
    restarting.start(*(f"worker-{number}" for number in range(MEMBERS)), static=way == "in place")
    shop = Shop(kafka, fleet.completed)
    assert until(lambda: journal.effects >= STEADY_SECONDS * A_SECOND)
    begun = time.time()
    for _ in range(ROUNDS):
        WAYS[way](restarting)
    took = time.time() - begun
    seen = journal.effects
    assert until(lambda: journal.effects >= seen + STEADY_SECONDS * A_SECOND)
    shop.close()
    assert fleet.all_committed()
    for member in fleet.members():
        fleet.leave(member)
    assert set(fleet.left()) == {0}

    calls = journal.calls()
    books = Books(shop.events, calls)
    waits = [call.time - shop.published[call.reservation] for call in calls]
    standstill = max(later.time - earlier.time for earlier, later in pairwise(calls))
    print(f"{way}: {len(shop.events)} events, {MEMBERS * ROUNDS} restarts in {took:.1f} s, ", end="")
    print(f"{len(books.lost())} lost, {books.doubled()} doubled, {len(books.repeats())} repeated, ", end="")
    print(f"no call for at most {standstill:.2f} s, an event waited at most {max(waits):.2f} s")
    assert not books.lost()
    assert books.doubled() == rokt.summary()["double_effects"] == 0
    assert books.repeats() == [], "a drain finishes what it has begun"
    assert not books.out_of_order()
    assert max(waits) < STANDSTILL_SECONDS
