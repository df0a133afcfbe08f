"""Ten thousand items in one checkout: the call is made, and what does not fit a topic's limit is said, not lost."""

from __future__ import annotations

from infra.brokers import Broker
from infra.events import encoded
from infra.rokt import Rokt
from infra.worker import Worker

ITEMS = 10_000


def test_ten_thousand_items_are_confirmed_in_one_call(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    event = {
        "eventId": "e",
        "occurredAt": 1763632800000,
        "cartId": "ada",
        "orderId": "order-ada",
        "roktSessionId": "s",
        "items": [{"cartItemId": f"i{n}", "itemReservationId": f"r{n}"} for n in range(ITEMS)],
    }
    broker.produce(worker.completed, encoded(event), key="ada")
    worker.start()

    [outcome] = worker.read_outcomes(1, 60)
    assert worker.stop() == 0
    assert outcome["status"] == "succeeded"
    assert rokt.summary()["reservations"]["confirmed"] == ITEMS
    assert len(rokt.calls("confirm")) == 1
    if (
        broker.kind == "kafka"
    ):  # the outcome is over its topic's limit of 1 MiB: it comes without items, and that is logged
        assert outcome["items"] == []
        assert worker.lines("kafka.outcome_trimmed")
    assert worker.lag() == 0
