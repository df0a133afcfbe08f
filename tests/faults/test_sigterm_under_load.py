"""SIGTERM under load, again and again: each time it is out in time, and in the end nothing is lost."""

from __future__ import annotations

import random
import signal
import time

import pytest

from faults.books import Books
from faults.load import LONG, Fleet, Journal, grows, publish, zipf
from infra.brokers import Broker
from infra.rokt import Rokt

TIMES = 50 if LONG else 5
DRAIN_SECONDS = 10.0
# The process itself has to end, too: its last commit, the producer's and the connections' end.
MARGIN_SECONDS = 5.0
SEED = random.randrange(2**32)

pytestmark = pytest.mark.timeout(900 if LONG else 120)


def test_sigterm_under_load_loses_nothing_and_ends_in_time(
    kafka: Broker, fleet: Fleet, journal: Journal, rokt: Rokt
) -> None:
    chance = random.Random(SEED)
    events = zipf(TIMES * 300, chance)
    publish(kafka, fleet.completed, events)
    rokt.faults(latency={"kind": "uniform", "seconds": 0.05, "spread": 0.045})
    took: list[float] = []
    for _ in range(TIMES):
        fleet.start()
        assert grows(journal, chance.randint(1, 150))
        begun = time.monotonic()
        fleet.leave(fleet.processes[-1])
        assert fleet.wait(DRAIN_SECONDS + MARGIN_SECONDS) == 0
        took.append(time.monotonic() - begun)
    fleet.start()
    assert fleet.all_committed(180)
    fleet.signal(signal.SIGTERM)
    assert fleet.wait() == 0

    books = Books(events, journal.calls())
    repeats = books.repeats()
    print(f"seed {SEED}: {len(events)} events, {TIMES} stops, {len(books.lost())} lost, {books.doubled()} doubled")
    print(f"{len(repeats)} calls repeated; stops took {min(took):.2f} to {max(took):.2f} s")
    assert not books.lost()
    assert not books.out_of_order()
    assert books.doubled() == rokt.summary()["double_effects"] == 0
    assert not books.with_other_keys()
    assert repeats == [], "a drain finishes what it has begun, and hands over what ran ahead"
