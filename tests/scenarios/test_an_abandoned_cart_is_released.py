"""A cart was left: its reservations are given back, and where there are none nobody is called."""

from __future__ import annotations

from infra.brokers import Broker
from infra.events import abandoned, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker, until


def test_an_abandoned_cart_is_released(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    event = abandoned("ada", items=2)
    event["items"].append({"cartItemId": "never-reserved"})
    broker.produce(worker.abandoned, encoded(event), key="ada")
    worker.start()

    [outcome] = worker.read_outcomes(1)
    [call] = rokt.calls("release")
    assert call["reservation_ids"] == [reservation("ada", 0), reservation("ada", 1)]
    assert [rokt.state_of(reservation("ada", n)) for n in range(2)] == ["released", "released"]
    assert (outcome["operation"], outcome["status"], outcome["orderId"]) == ("release", "succeeded", None)


def test_a_cart_without_reservations_makes_no_call(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.abandoned, encoded(abandoned("ada", items=0)), key="ada")
    worker.start()

    assert until(lambda: worker.lines("event.settled"))
    assert worker.stop() == 0
    assert rokt.calls() == []
    assert broker.read(worker.outcomes, timeout=1) == []
    assert worker.lag() == 0
    [line] = worker.lines("event.settled")
    assert (line["fate"], line["why"]) == ("skipped", "no item of the cart has a reservation")
