"""`rokt-worker shop`: publishes made-up events, for a worker to have something to do."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.commands.speaking import Speech, Table, ends_well, json_option, settings_options

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from worker.events import EventType
    from worker.sandbox.shop import Made
    from worker.settings import Settings

QUEUE_FULL_SECONDS = 0.05


@click.command("shop", short_help="Publishes made-up events, for trying a worker out.")
@click.option("--rate", type=click.FloatRange(0.01, 10_000), default=10.0, show_default=True, help="Events a second.")
@click.option("--events", type=click.IntRange(1), metavar="N", help="How many; without it, until it is stopped.")
@click.option("--seed", type=int, metavar="N", help="The same events again, with the same ids.")
@settings_options
@json_option
@ends_well
def shop(
    rate: float, events: int | None, seed: int | None, env_file: Path | None, secrets_dir: Path | None, as_json: bool
) -> None:
    """Publishes made-up events as JSON: checkouts, cancelled orders, abandoned carts, now and then one twice.

    Never on a topic that a shop writes to: the worker makes calls for them. Brokers and topics come from the worker's
    own settings. Ends by itself after --events, or on Ctrl-C, and says how many events of each kind were acknowledged.

    \b
    Examples:
      rokt-worker shop --env-file worker.env
      rokt-worker shop --rate 200 --events 10000 --env-file worker.env
    """
    from worker import loading

    settings = loading.load(os.environ, env_file, secrets_dir)
    counts = _publish(settings, rate, events, random.SystemRandom().getrandbits(32) if seed is None else seed)
    Speech(as_json=as_json).answer(dict(counts), Table((), [(kind, number) for kind, number in sorted(counts.items())]))


def _publish(settings: Settings, rate: float, events: int | None, seed: int) -> Counter[str]:
    """Returns the events that were acknowledged, by kind. Raises DeliveryFailed for one that was not."""
    from confluent_kafka import Producer

    from worker.errors import DeliveryFailed
    from worker.events import rfc3339
    from worker.sandbox.shop import carts
    from worker.stream import config
    from worker.telemetry import logs

    log = logs.configure(settings.log.format, settings.log.level)
    producer = Producer(config.producer_config(settings.kafka, log, lambda _: None))
    to = settings.topics
    topics: dict[EventType, str] = {
        "CheckoutCompleted": to.checkout_completed[0],
        "OrderCancelled": to.order_cancelled[0],
        "CartAbandoned": to.cart_abandoned[0],
    }
    counts: Counter[str] = Counter()
    failed: list[str] = []

    def counted(made: Made) -> Callable[[object, object], None]:
        def report(error: object, _: object) -> None:
            if error is None:
                counts["Again" if made.again else made.kind] += 1
            else:
                failed.append(str(error))

        return report

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    made_up = carts(random.Random(seed), lambda: rfc3339(datetime.now(UTC)))  # noqa: S311 - nothing is secret about them
    for made in islice(made_up, events):
        if failed or stop.is_set():
            break
        _produce(producer, topics[made.kind], made, counted(made))
        stop.wait(1 / rate)
    producer.flush(settings.kafka.delivery_seconds)
    if failed:
        raise DeliveryFailed(f"not acknowledged: {failed[0]}")
    return counts


def _produce(producer: Producer, topic: str, made: Made, report: Callable[[object, object], None]) -> None:
    value = json.dumps(made.event).encode()
    while True:
        try:
            producer.produce(topic, value, made.key, on_delivery=report)
        except BufferError:
            producer.poll(QUEUE_FULL_SECONDS)
        else:
            producer.poll(0)
            return
