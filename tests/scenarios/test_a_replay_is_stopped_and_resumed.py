"""SIGTERM, SIGKILL, several processes: a replay goes on where it was, and each record is counted once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.replay import Replay
from infra.rokt import Rokt
from infra.worker import Worker, until

CARTS = [f"cart-{n}" for n in range(40)]
SLOW = {"kind": "fixed", "seconds": 0.05}
FEW = {
    "WORKER_ROKT__MAX_CONCURRENCY": "4",
    "WORKER_ROKT__TIMEOUT_SECONDS": "2",
    "WORKER_LEDGER__LEASE_SECONDS": "3",
    "WORKER_KAFKA__COMMIT_SECONDS": "0.2",
}


@pytest.fixture
def replay(broker: Broker, worker: Worker, rokt: Rokt) -> Iterator[Replay]:
    """Of events that no live worker has read, at a Rokt that takes its time."""
    for n, cart in enumerate(CARTS):
        broker.produce(worker.completed, encoded(completed(cart)), key=cart, partition=n % 2)
    rokt.faults(latency=SLOW)
    worker.settings |= FEW
    made = Replay(worker)
    yield made
    made.end()
    assert "Traceback" not in made.log(), made.log()[-3000:]


def confirms(rokt: Rokt) -> list[int]:
    found = rokt.reservations()
    return [found.get(reservation(cart), {}).get("confirms", 0) for cart in CARTS]


def reached(rokt: Rokt, enough: int) -> bool:
    return sum(confirms(rokt)) >= enough


def test_sigterm_keeps_how_far_it_came_and_the_same_goes_on_from_there(
    worker: Worker, rokt: Rokt, replay: Replay
) -> None:
    first = replay.start()
    assert until(partial(reached, rokt, 15))
    stopped = replay.stop(first)
    assert not stopped["finished"]
    assert stopped["counts"] == {"succeeded": stopped["offsets"]}
    assert 0 < stopped["calls"] == stopped["offsets"] < len(CARTS)

    come = replay.run()
    assert come["finished"]
    assert come["offsets"] == len(CARTS) == sum(come["counts"].values())
    assert come["counts"]["succeeded"] >= stopped["offsets"]
    assert confirms(rokt) == [1] * len(CARTS)
    assert worker.lag() == len(CARTS), "the live group has read nothing"
    groups = worker.broker.committed(replay.group, worker.completed)
    assert sum(p.committed for p in groups.values()) == len(CARTS), "for those who look at lag"


def test_killed_it_goes_on_from_what_is_kept_and_counts_each_record_once(
    worker: Worker, rokt: Rokt, replay: Replay
) -> None:
    process = replay.start()
    assert until(partial(reached, rokt, 20))
    replay.kill(process)

    come = replay.run()
    assert come["finished"]
    assert come["offsets"] == len(CARTS) == sum(come["counts"].values())
    assert come["counts"].keys() <= {"succeeded", "settled before"}
    assert confirms(rokt) == [1] * len(CARTS)
    assert worker.lag() == len(CARTS)


def test_two_processes_share_it_and_both_end_when_all_is_done(worker: Worker, rokt: Rokt, replay: Replay) -> None:
    rokt.faults(latency={"kind": "fixed", "seconds": 1.0})
    processes = [replay.start(), replay.start()]
    assert until(lambda: replay.log().count('"kafka.assigned"') >= len(processes))
    rokt.faults(latency=SLOW)
    for come in map(replay.end_of, processes):
        assert come["finished"]
        assert come["offsets"] == len(CARTS) == sum(come["counts"].values())
    assert confirms(rokt) == [1] * len(CARTS)
