"""Writes the events of a run, as a process of its own: `python -m bench.shop BOOTSTRAP TOPIC EVENTS`.

Each event has an order and a reservation of its own; carts are drawn by Zipf's law as Mandelbrot has it (the most
frequent of them has about one event in 700), or are each event's own. With a `--rate` each event is written at its
time, which is its record's timestamp whether or not it was late; else all are written at once.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

import fastavro
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from worker.decode.schemas import FILES, load

CARTS: Final = 100_000
EVEN: Final = 100
SEED: Final = 20_261_126
HOT_CART: Final = "cart-hot"
PRICES: Final = ("unitPrice", "totalPrice")
AT_MS: Final = 1_795_000_000_000

Encode = Callable[[dict[str, Any]], bytes]


def event(number: int, cart: str) -> dict[str, Any]:
    """A checkout of one item."""
    item = {"cartItemId": f"item-{number:09}", "itemReservationId": f"rokt_item_reservation_id.{number:032x}"}
    prices = {"quantity": 1, "unitPrice": "19.99", "totalPrice": "19.99", "currency": "USD"}
    return {
        "eventId": str(uuid.uuid4()),
        "eventType": "CheckoutCompleted",
        "occurredAt": "2026-11-20T10:00:00Z",
        "cartId": cart,
        "orderId": f"order-{number:09}",
        "roktSessionId": "ca75f48-ebbd-4d8e-83c3-fdd70893294d",
        "locale": "en-US",
        "items": [item | prices],
        "attributes": {"channel": "web"},
    }


def value(number: int) -> bytes:
    """An event of about 450 bytes of JSON, with a cart of its own."""
    return as_json(event(number, f"cart-{number}"))


def as_json(written: dict[str, Any]) -> bytes:
    return json.dumps(written).encode()


def as_avro(registry: str, topic: str) -> Encode:
    """In Confluent's wire format, some 240 bytes."""
    text = json.dumps(load(FILES["CheckoutCompleted"]))
    with SchemaRegistryClient({"url": registry}) as client:
        number = client.register_schema(f"{topic}-value", Schema(text, "AVRO"))
    schema = fastavro.parse_schema(json.loads(text))
    head = b"\0" + number.to_bytes(4, "big")

    def encode(written: dict[str, Any]) -> bytes:
        body = BytesIO(head)
        body.seek(len(head))
        items = [item | {price: Decimal(item[price]) for price in PRICES} for item in written["items"]]
        fastavro.schemaless_writer(body, schema, written | {"occurredAt": AT_MS, "items": items})
        return body.getvalue()

    return encode


def carts(kind: str) -> Iterator[str]:
    """The carts of the events, in order; the same in every run."""
    if kind == "own":
        yield from (f"cart-{number}" for number in itertools.count())
    weights = list(itertools.accumulate(1 / (EVEN + rank) for rank in range(1, CARTS + 1)))
    draw = random.Random(SEED)
    for number in itertools.count():
        if kind == "hot" and number % 10 == 0:
            yield HOT_CART
        else:
            yield f"cart-{bisect.bisect(weights, draw.random() * weights[-1])}"


def write(bootstrap: str, topic: str, events: int, kind: str, encode: Encode, rate: float | None) -> None:
    """Prints when it began, in seconds since 1970: the intended time of an event is that and its number by the rate."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 1 if rate else 50,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
        }
    )
    began = time.time()
    print(began, flush=True)
    for number, cart in zip(range(events), carts(kind), strict=False):
        intended = began + number / rate if rate else time.time()
        if rate:
            while (left := intended - time.time()) > 0:
                producer.poll(min(left, 0.001))
        written = encode(event(number, cart))
        while True:
            try:
                producer.produce(topic, written, cart, timestamp=int(intended * 1000))
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(120):
        raise TimeoutError("events were not acknowledged")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("events", type=int)
    parser.add_argument("--carts", choices=("own", "zipf", "hot"), default="own")
    parser.add_argument("--registry")
    parser.add_argument("--rate", type=float)
    given = parser.parse_args()
    encode = as_avro(given.registry, given.topic) if given.registry else as_json
    write(given.bootstrap, given.topic, given.events, given.carts, encode, given.rate)


if __name__ == "__main__":
    main()
