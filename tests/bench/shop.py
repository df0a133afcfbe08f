"""Writes the events of a run, as a process of its own: `python -m bench.shop BOOTSTRAP TOPIC EVENTS`."""

from __future__ import annotations

import json
import sys
import uuid

from confluent_kafka import Producer


def value(number: int) -> bytes:
    """An event of about 450 bytes, with a cart of its own."""
    cart = f"cart-{number}"
    item = {"cartItemId": f"item-{number}", "itemReservationId": f"rokt_item_reservation_id.{number:032x}"}
    prices = {"quantity": 1, "unitPrice": "19.99", "totalPrice": "19.99", "currency": "USD"}
    return json.dumps(
        {
            "eventId": str(uuid.uuid4()),
            "eventType": "CheckoutCompleted",
            "occurredAt": "2026-11-20T10:00:00Z",
            "cartId": cart,
            "orderId": f"order-{number}",
            "roktSessionId": "ca75f48-ebbd-4d8e-83c3-fdd70893294d",
            "locale": "en-US",
            "items": [item | prices],
            "attributes": {"channel": "web"},
        }
    ).encode()


def write(bootstrap: str, topic: str, events: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "compression.type": "lz4"})
    for number in range(events):
        while True:
            try:
                producer.produce(topic, value(number), f"cart-{number}")
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(120):
        raise TimeoutError("events were not acknowledged")


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], int(sys.argv[3]))
