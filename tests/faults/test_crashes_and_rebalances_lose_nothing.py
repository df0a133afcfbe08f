"""Workers join, leave and are killed, the broker dies: every event takes effect, once, in its cart's order."""

from __future__ import annotations

import random

import pytest

from faults.books import Books
from faults.load import LONG, Fleet, Journal, falls_silent, publish, zipf
from infra.brokers import Broker
from infra.rokt import Rokt
from infra.worker import until

EVENTS = 20_000 if LONG else 2_000
ROUNDS = 9 if LONG else 2
MEMBERS = 3
PROGRESS_SECONDS = 90.0
FEW = {"WORKER_ROKT__MAX_CONCURRENCY": "4"}
SEED = random.randrange(2**32)

pytestmark = pytest.mark.timeout(1_500 if LONG else 180)


@pytest.mark.parametrize("ledger", ["sqlite", "postgresql"])
def test_whatever_ends_nothing_is_lost_nothing_done_twice_and_each_cart_is_in_order(
    ledger: str, request: pytest.FixtureRequest, kafka: Broker, fleet: Fleet, journal: Journal, rokt: Rokt
) -> None:
    if not kafka.restartable:
        pytest.skip("a given broker is not ours to kill")
    if ledger == "postgresql":
        fleet.settings["WORKER_LEDGER__URL"] = request.getfixturevalue("postgres").fresh_database()
    rounds = ROUNDS if LONG or ledger == "sqlite" else 1
    chance = random.Random(SEED)
    events = zipf(EVENTS, chance)
    publish(kafka, fleet.completed, events)
    rokt.faults(latency={"kind": "uniform", "seconds": 0.02, "spread": 0.015})
    for _ in range(MEMBERS):
        fleet.start(**FEW)
    assert until(lambda: fleet.said("kafka.assigned") >= MEMBERS)

    def some_calls_later() -> None:
        goal = journal.effects + int(EVENTS / rounds * chance.uniform(0.05, 0.15))
        assert until(lambda: journal.effects >= min(goal, EVENTS), PROGRESS_SECONDS)

    for _ in range(rounds):
        some_calls_later()
        _join(fleet)
        some_calls_later()
        fleet.leave(chance.choice(fleet.members()))
    in_peace = Books(events, journal.calls())
    for turn in range(rounds):
        some_calls_later()
        fleet.crash(chance.choice(fleet.members()))
        fleet.start(**FEW)
        if turn % 3 == 0:
            some_calls_later()
            _crash(kafka, fleet, journal)

    assert fleet.all_committed(300)
    for member in fleet.members():
        fleet.leave(member)
    assert set(fleet.left()) == {0}
    books = Books(events, journal.calls())
    repeats = books.repeats()
    print(f"seed {SEED}, {ledger}: {EVENTS} events, {len(books.lost())} lost, {books.doubled()} doubled")
    print(f"{len(fleet.crashes)} crashes, {len(fleet.processes)} members, {len(repeats)} calls repeated, ", end="")
    print(f"{len(in_peace.repeats())} of them before the first crash")
    assert in_peace.repeats() == [], "members that come and go cut nothing short"
    assert not books.lost()
    assert not books.out_of_order()
    assert books.doubled() == rokt.summary()["double_effects"] == 0
    assert not books.with_other_keys()
    assert books.unexplained(fleet.crashes) == []


def _join(fleet: Fleet) -> None:
    """One more member, with partitions of its own."""
    before = fleet.said("kafka.assigned")
    fleet.start(**FEW)
    assert until(lambda: fleet.said("kafka.assigned") > before)


def _crash(kafka: Broker, fleet: Fleet, journal: Journal) -> None:
    kafka.kill()
    assert falls_silent(journal)
    kafka.restart()
