"""A cap on calls for all: live traffic goes first, and a replay has what it leaves over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from infra.brokers import Broker
from infra.events import completed, encoded
from infra.replay import Replay
from infra.rokt import Rokt
from infra.worker import Worker, until

CAP = 40
RATE = 20
OLD = [f"old-{n}" for n in range(100)]
NEW = [f"new-{n}" for n in range(60)]
SHARE_OF_A_SLOW_MACHINE = 0.25


@pytest.fixture
def replay(worker: Worker) -> Iterator[Replay]:
    """Of events that the live group has passed, while the ledger knows nothing of them."""
    worker.settings["WORKER_ROKT__MAX_CALLS_PER_SECOND"] = str(CAP)
    worker.settings["WORKER_KAFKA__PROPERTIES"] = worker.settings["WORKER_KAFKA__PROPERTIES"].replace(
        "{", '{"auto.offset.reset": "latest", ', 1
    )
    for cart in OLD:
        worker.broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    made = Replay(worker)
    yield made
    made.end()
    assert "Traceback" not in made.log(), made.log()[-3000:]


def made(rokt: Rokt, carts: list[str], enough: int) -> bool:
    return sum(call["cart_id"] in carts for call in rokt.calls()) >= enough


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_while_live_traffic_has_a_backlog_the_replay_waits(
    broker: Broker, worker: Worker, rokt: Rokt, replay: Replay
) -> None:
    worker.start()
    assert until(lambda: worker.lines("kafka.assigned"))
    broker.produce(worker.completed, encoded(completed("the first")), key="the first")
    assert until(partial(made, rokt, ["the first"], 1))
    process = replay.start()
    assert until(partial(made, rokt, OLD, 5)), "nobody else wants any: it has all slots"
    for cart in NEW:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    assert until(partial(made, rokt, NEW, len(NEW)))
    stopped = replay.stop(process)

    carts = [call["cart_id"] for call in rokt.calls()]
    began, ended = carts.index(next(cart for cart in carts if cart in NEW)), max(map(carts.index, NEW))
    meanwhile = [cart for cart in carts[began:ended] if cart in OLD]
    assert len(meanwhile) <= len(NEW) * SHARE_OF_A_SLOW_MACHINE
    assert stopped["calls"] == sum(cart in OLD for cart in [call["cart_id"] for call in rokt.calls()])
    assert not stopped["finished"]


@pytest.mark.parametrize("broker", ["embedded"], indirect=True)
def test_a_rate_of_its_own_holds_beside_the_cap(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    worker.settings["WORKER_ROKT__MAX_CALLS_PER_SECOND"] = str(CAP)
    for cart in NEW[:RATE]:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    replay = Replay(worker, rate=RATE / 2)
    assert replay.run()["counts"] == {"succeeded": RATE}
    assert len(rokt.calls()) == RATE
    first, *_, last = sorted(float(call["time"]) for call in rokt.calls())
    assert last - first > 1.0, "two seconds, but for what a slow machine makes of it; half a second under the cap alone"
