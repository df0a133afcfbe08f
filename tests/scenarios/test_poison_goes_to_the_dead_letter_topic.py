"""A record that can never be handled is set aside whole, with the reason, and holds up nobody."""

from __future__ import annotations

import time

import pytest

from infra.brokers import Broker
from infra.events import completed, encoded, reservation
from infra.rokt import Rokt
from infra.worker import Worker

ORIGINAL = [("shop", b"\xff\x00"), ("empty", b""), ("none", None), ("shop", b"again"), ("traceparent", b"nonsense")]

POISON = {
    "bytes": (b"\x01\x02\x03", "undecodable"),
    "an empty value": (b"", "undecodable"),
    "a JSON array": (b"[1]", "undecodable"),
    "not UTF-8": (b'{"cartId": "\xff"}', "undecodable"),
    "Avro, with no registry set": (b"\x00\x00\x00\x00\x07abc", "undecodable"),
    "a field is missing": (encoded({"eventType": "CheckoutCompleted", "cartId": "x"}), "invalid"),
    "a number where text belongs": (encoded(completed("x", orderId=5)), "invalid"),
    "another type of event": (encoded({"eventType": "OrderShipped"}), "invalid"),
    "Rokt refuses it": (encoded(completed("x", roktSessionId=None)), "rejected"),
}


@pytest.mark.parametrize(("value", "reason"), POISON.values(), ids=POISON.keys())
def test_poison_is_set_aside_with_its_reason(
    broker: Broker, worker: Worker, rokt: Rokt, value: bytes, reason: str
) -> None:
    an_hour_ago = int(time.time() - 3600) * 1000  # much older, and the topic's retention could delete it at any moment
    place = broker.produce(worker.completed, value, key=b"k\xff", headers=ORIGINAL, partition=0, timestamp=an_hour_ago)
    broker.produce(worker.completed, encoded(completed("next")), key="next", partition=0)
    worker.start()

    [letter] = broker.read(f"{worker.completed}.dlq", 1, 30)
    assert worker.read_outcomes(1)
    assert worker.stop() == 0

    assert (letter.key, letter.value, letter.timestamp) == (b"k\xff", value, an_hour_ago)
    assert list(letter.headers[: len(ORIGINAL)]) == ORIGINAL
    told = {name: (text or b"").decode() for name, text in letter.headers if name.startswith("dlq.")}
    assert told["dlq.reason"] == reason
    assert told["dlq.message"]
    assert (told["dlq.source.topic"], told["dlq.source.partition"], told["dlq.source.offset"]) == (
        place.topic,
        str(place.partition),
        str(place.offset),
    )
    assert told["dlq.source.timestamp"] == str(an_hour_ago)
    assert told["dlq.group"] == worker.group
    assert told["dlq.redrives"] == "0"
    assert told["dlq.http.status"] == ("400" if reason == "rejected" else "")
    assert rokt.state_of(reservation("next")) == "confirmed"
    assert worker.lag() == 0


def test_a_dead_letter_of_a_refused_call_carries_what_rokt_said(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.completed, encoded(completed("x", roktSessionId=None)), key="x")
    worker.start()

    [letter] = broker.read(f"{worker.completed}.dlq", 1, 30)
    [outcome] = worker.read_outcomes(1)
    [call] = rokt.calls("confirm")
    assert b"rokt-session-id" in (letter.header("dlq.http.body") or b"")
    assert letter.header("dlq.operation") == b"confirm"
    assert letter.header("dlq.attempts") == b"1"
    assert (letter.header("dlq.idempotency-key") or b"").decode() == outcome["idempotencyKey"] == call["key"]
    assert letter.header("traceparent") == call["traceparent"].encode()
    assert outcome["status"] == "rejected"


def test_a_tombstone_is_skipped(broker: Broker, worker: Worker, rokt: Rokt) -> None:
    broker.produce(worker.completed, None, key="gone", partition=0)
    broker.produce(worker.completed, encoded(completed("next")), key="next", partition=0)
    worker.start()

    assert worker.read_outcomes(1)
    assert worker.stop() == 0
    assert broker.read(f"{worker.completed}.dlq", timeout=1) == []
    assert worker.lag() == 0
