"""Fourteen days of orders, of which Rokt is down for seven: what the person on call does, and how it all ends.

The outage begins and the worker holds; what is poison is dead-lettered, and nothing else; the outage ends and the
backlog drains; the dead letters are redriven, what cannot be read is put aside, two days are replayed. In the end Rokt
stands as it stands for a second shop with the same orders, and no outage.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra import kafka_api
from infra.brokers import Broker
from infra.commands import Said, rokt_worker
from infra.events import abandoned, cancelled, completed, encoded
from infra.rokt import Rokt
from infra.worker import Worker, until

DAYS = 14
DAY_MS = 86_400_000
DOWN = range(3, 10)
A_DAY = 7
REFUSED_ON, UNREADABLE_ON, POISON_ON = 1, 5, 8
REPLAYED = range(5, 7)
KEPT_MS = 60 * DAY_MS
PATIENT = {"WORKER_CANCEL__WAIT_SECONDS": "60", "WORKER_RETRY__MAX_ATTEMPTS": "4"}


class Shop:
    """Publishes a day at a time: four orders, one of them told twice and one cancelled, and a cart left behind."""

    def __init__(self, broker: Broker, worker: Worker) -> None:
        self._broker = broker
        self._worker = worker
        self._first_ms = int(time.time() * 1000) - DAYS * DAY_MS
        self.records = 0

    def begins(self, day: int) -> str:
        """When a day begins, RFC 3339."""
        return datetime.fromtimestamp((self._first_ms + day * DAY_MS) / 1000, UTC).isoformat()

    def publish(self, days: range) -> None:
        for day in days:
            orders = [f"day{day}-{name}" for name in ("ada", "bob", "cyd", "dan")]
            for hour, cart in enumerate([*orders, orders[0]]):
                self._write(self._worker.completed, completed(cart, items=2), day, hour)
            self._write(self._worker.cancelled, cancelled(orders[1], items=2), day, 8)
            self._write(self._worker.abandoned, abandoned(f"day{day}-eve"), day, 9)

    def publish_bad(self, cart: str, day: int) -> None:
        self._write(self._worker.completed, completed(cart), day, 10)

    def publish_broken(self, day: int) -> None:
        self._produce(self._worker.completed, b'{"cartId": ', "broken", day, 11)

    def _write(self, topic: str, event: dict[str, Any], day: int, hour: int) -> None:
        self._produce(topic, encoded(event), event["cartId"], day, hour)

    def _produce(self, topic: str, value: bytes, key: str, day: int, hour: int) -> None:
        at = self._first_ms + day * DAY_MS + hour * 3_600_000
        self._broker.produce(topic, value, key=key, timestamp=at)
        self.records += 1


@pytest.fixture
def control(broker: Broker, worker: Worker, tmp_path: Path) -> Iterator[tuple[Worker, Rokt]]:
    """The same topics read by another group, for a Rokt that never fails."""
    folder = tmp_path / "control"
    folder.mkdir()
    server = Rokt()
    other = Worker(broker, server.url, folder, **PATIENT)
    other.completed, other.cancelled, other.abandoned = worker.sources
    for name in ("CHECKOUT_COMPLETED", "ORDER_CANCELLED", "CART_ABANDONED"):
        other.settings[f"WORKER_TOPICS__{name}"] = worker.settings[f"WORKER_TOPICS__{name}"]
    other.settings["WORKER_TOPICS__DEAD_LETTER_SUFFIX"] = ".control"
    broker.create_topics(other.outcomes, *(f"{topic}.control" for topic in other.sources), partitions=1)
    yield other, server
    other.end()
    server.stop()


def test_a_fortnights_outage(broker: Broker, worker: Worker, rokt: Rokt, control: tuple[Worker, Rokt]) -> None:
    worker.settings |= PATIENT
    _keep_for_long(broker, worker)
    shop = Shop(broker, worker)

    rokt.faults(errors={"422": 1.0}, only_carts="refused")
    shop.publish(range(DOWN.start))
    shop.publish_bad("refused", REFUSED_ON)
    worker.start()
    assert worker.all_committed()

    rokt.faults(outage=True)
    for day in DOWN:
        shop.publish(range(day, day + 1))
        if day == UNREADABLE_ON:
            shop.publish_broken(day)
        if day == POISON_ON:
            shop.publish_bad("poison", day)
    assert until(lambda: worker.lines("circuit.opened"))
    tried = len(rokt.calls())
    assert until(lambda: len(rokt.calls()) >= tried + 3), "it goes on asking, one call at a time"
    assert {letter["reason"] for letter in _letters(worker)} <= {"rejected", "undecodable"}, "no order is given up"
    assert worker.lag() > 0

    rokt.faults(errors={"500": 1.0}, only_carts="poison")
    shop.publish(range(DOWN.stop, DAYS))
    assert worker.all_committed(120)
    assert sorted(letter["reason"] for letter in _letters(worker)) == ["rejected", "undecodable", "unknown-outcome"]

    rokt.faults()
    _redrive_all(worker)
    _put_aside_what_cannot_be_read(worker)
    _replay_two_days(worker, shop, rokt)
    assert worker.stop() == 0

    other, undisturbed = control
    other.start()
    assert other.all_committed()
    assert other.stop() == 0
    assert _standing(rokt) == _standing(undisturbed)
    assert rokt.summary()["double_effects"] == 0
    assert rokt.summary()["release_of_confirmed"] == 0


def _keep_for_long(broker: Broker, worker: Worker) -> None:
    """A topic keeps seven days unless it is told otherwise. The embedded broker keeps all."""
    if broker.kind == "kafka":
        for topic in worker.sources:
            for name in (topic, f"{topic}.dlq"):
                kafka_api.set_on_topic(broker.bootstrap, name, "retention.ms", str(KEPT_MS))


def _standing(rokt: Rokt) -> dict[str, tuple[str, int]]:
    """What became of each reservation at Rokt's, and how often it was confirmed."""
    return {id_: (found["state"], found.get("confirms", 0)) for id_, found in rokt.reservations().items()}


def _redrive_all(worker: Worker) -> None:
    planned = _said(worker, "dlq", "redrive", "--dry-run")
    done = _said(worker, "dlq", "redrive")
    assert planned["letters"] == done["letters"] == 3
    assert {fate: count for fate, count in done["results"].items() if count} == {"succeeded": 2, "dead-lettered": 1}
    again = _said(worker, "dlq", "redrive", "--reason", "rejected", "--reason", "unknown-outcome")
    assert again["letters"] == 0


def _put_aside_what_cannot_be_read(worker: Worker) -> None:
    [letter] = _letters(worker)
    assert (letter["reason"], letter["redrives"]) == ("undecodable", 1)
    done = _said(worker, "dlq", "discard", letter["place"], "--because", "the shop sent it again by hand")
    assert done["discarded"] == 1
    assert _letters(worker) == []


def _replay_two_days(worker: Worker, shop: Shop, rokt: Rokt) -> None:
    """All of it was settled, on time or after the outage; but what cannot be read is dead-lettered again."""
    stretch = ("--since", shop.begins(REPLAYED.start), "--until", shop.begins(REPLAYED.stop))
    calls = len(rokt.calls())
    events = len(REPLAYED) * A_DAY + 1
    planned = _said(worker, "replay", *stretch, "--dry-run")
    assert planned["records"] == events
    assert planned["expected"]["settledBefore"] == events - 1
    assert planned["expected"]["deadLettered"] == 1
    assert planned["calls"]["toMake"] == {"confirm": 0, "cancel": 0, "release": 0}
    assert _letters(worker) == [], "nothing is changed"

    done = _said(worker, "replay", *stretch)
    assert (done["state"], done["balanced"], done["events"]) == ("finished", True, events)
    assert (done["settledBefore"], done["deadLettered"], done["calls"]) == (events - 1, 1, 0)
    assert len(rokt.calls()) == calls
    assert [letter["reason"] for letter in _letters(worker)] == ["undecodable"]


def _letters(worker: Worker) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _said(worker, "dlq", "list", "--each")["letters"]
    return found


def _said(worker: Worker, *arguments: str) -> Any:
    said: Said = rokt_worker(*arguments, "--json", settings=worker.settings, folder=worker.folder)
    assert said.code == 0, said
    return said.document
