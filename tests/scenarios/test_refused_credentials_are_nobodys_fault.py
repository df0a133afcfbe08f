"""Rokt refuses our key: nothing is given up, one call at a time is tried, and work goes on when the key works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import API_KEY, TAG_ID, Worker, until
from worker.sandbox.app import Settings
from worker.sandbox.requests import Credentials

CARTS = [f"cart-{n}" for n in range(12)]


@pytest.fixture
def rokt() -> Iterator[Rokt]:
    """Knows another key than the worker's."""
    server = Rokt(Settings(credentials=Credentials(api_key="another")))
    yield server
    server.stop()


def test_events_wait_until_the_key_works(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    for cart in CARTS:
        broker.produce(worker.completed, encoded(completed(cart)), key=cart)
    worker.start()
    assert until(lambda: len(worker.lines("credentials.refused")) >= 3)
    while_refused = rokt.calls()
    port = int(rokt.url.rsplit(":", 1)[1])
    rokt.stop()

    mended = Rokt(Settings(credentials=Credentials(api_key=API_KEY, tag_id=TAG_ID)), port=port)
    try:
        outcomes = worker.read_outcomes(len(CARTS))
        assert worker.stop() == 0
        assert {outcome["status"] for outcome in outcomes} == {"succeeded"}
        assert all(mended.state_of(reservation(cart)) == "confirmed" for cart in CARTS)
    finally:
        mended.stop()

    # All carts' first calls may set out together; from then on it is one call at a time, and another one each time.
    tried = [call["cart_id"] for call in while_refused[len(CARTS) :]]
    assert len(tried) <= len(worker.lines("credentials.refused"))
    assert len(set(tried)) == len(tried)
    assert worker.lines("credentials.accepted")
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []
    assert API_KEY not in worker.output()
    assert worker.lag() == 0
