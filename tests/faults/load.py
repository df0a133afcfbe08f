"""A load of events, the workers that share it, and what Rokt saw of it: effects are counted there and nowhere else."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
from confluent_kafka import KafkaError, Message, Producer

from infra.brokers import Broker, Position
from infra.events import completed, encoded, reservation
from infra.worker import Worker, tell, until

LONG = os.environ.get("WORKER_TEST_FAULTS", "") == "long"
AT_ONCE = 10_000
LOOK_SECONDS = 0.1


class Event(NamedTuple):
    """The `number`th event of a cart: an order of its own with one item of its own."""

    cart: str
    number: int

    @property
    def reservation(self) -> str:
        return reservation(self.cart, self.number)

    def value(self, **more: Any) -> bytes:
        order = f"{self.cart}-order-{self.number}"
        item = {"cartItemId": f"{order}-item", "itemReservationId": self.reservation, "quantity": 1, "currency": "USD"}
        return encoded(completed(self.cart, orderId=order, **more) | {"items": [item]})


def zipf(total: int, chance: random.Random) -> list[Event]:
    """So many events in the order in which they are published: few carts have many of them, many have one."""
    carts = [f"cart-{n}" for n in range(total // 10)]
    drawn = chance.choices(carts, [1 / (n + 1) for n in range(len(carts))], k=total)
    seen: dict[str, int] = defaultdict(int)
    events: list[Event] = []
    for cart in drawn:
        events.append(Event(cart, seen[cart]))
        seen[cart] += 1
    return events


def publish(broker: Broker, topic: str, events: Sequence[Event], **more: Any) -> dict[str, Position]:
    """Writes them in this order; a cart's events are in one partition. Where each one's reservation stands."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all", "linger.ms": 20, "log_level": 0})
    places: dict[str, Position] = {}

    def written(name: str, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        places[name] = Position(topic, cast("int", message.partition()), cast("int", message.offset()))

    for event in events:
        acknowledged = partial(written, event.reservation)
        producer.produce(topic, event.value(**more), event.cart, on_delivery=acknowledged)
        producer.poll(0)
    assert producer.flush(60) == 0
    return places


def stream(broker: Broker, topic: str, events: Iterable[Event], a_second: float) -> None:
    """Writes them as a shop would, so many a second; each record's timestamp is when it was written."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0, "log_level": 0})
    begun = time.monotonic()
    for number, event in enumerate(events):
        while (early := begun + number / a_second - time.monotonic()) > 0:
            producer.poll(early)
        producer.produce(topic, event.value(), event.cart)
    assert producer.flush(60) == 0


@dataclass(frozen=True, slots=True)
class Call:
    """One request that Rokt processed: when (epoch seconds), about what, and with which key."""

    time: float
    reservation: str
    key: str
    applied: bool


class Journal:
    """Every call that Rokt gets, collected while it runs: the sandbox itself keeps only the last ones."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/sandbox", trust_env=False, timeout=30)
        self._calls: list[Call] = []
        self._in_effect: set[str] = set()
        self._last = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._collect, name="journal", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def effects(self) -> int:
        """For how many events there was one."""
        return len(self._in_effect)

    def calls(self) -> list[Call]:
        """All calls so far, in the order in which they were processed."""
        self._look()
        return list(self._calls)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._client.close()

    def _collect(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        with self._lock:
            answer = self._client.get("/calls", params={"after": self._last, "limit": AT_ONCE}).raise_for_status()
            for call in answer.json()["calls"]:
                assert call["sequence"] == self._last + 1, "calls were missed: they come faster than they are collected"
                self._last = call["sequence"]
                self._calls.append(Call(call["time"], call["reservation_ids"][0], call["key"], call["applied"]))
                if call["applied"]:
                    self._in_effect.add(call["reservation_ids"][0])


class Fleet(Worker):
    """Worker processes of one group that come and go."""

    def __init__(self, broker: Broker, rokt_url: str, folder: Path, **settings: str) -> None:
        super().__init__(broker, rokt_url, folder, **settings)
        self.crashes: list[float] = []
        self.leaving: list[subprocess.Popen[bytes]] = []

    def members(self) -> list[subprocess.Popen[bytes]]:
        """Those that run and were not told to leave."""
        return [p for p in self.processes if p.poll() is None and p not in self.leaving]

    def leave(self, member: subprocess.Popen[bytes]) -> None:
        tell(member, signal.SIGTERM)
        self.leaving.append(member)

    def crash(self, member: subprocess.Popen[bytes]) -> None:
        member.kill()
        self.crashes.append(time.time())
        member.wait()

    def left(self) -> list[int]:
        """The exit codes of those that were told to leave."""
        return [member.wait(self.drain_seconds + 20) for member in self.leaving]

    @property
    def drain_seconds(self) -> float:
        return float(self.settings["WORKER_SHUTDOWN__DRAIN_SECONDS"])

    def dead_lettered(self) -> int:
        """How many events ended as dead letters, by the log."""
        return self.output().count('"fate":"dead-lettered"')

    def said(self, event: str) -> int:
        """How often that event is in their log."""
        return self.output().count(f'"event":"{event}"')


def memory(process: subprocess.Popen[bytes], field: str = "VmRSS") -> float:
    """Resident memory in MiB; `VmHWM`: the most there ever was."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def grows(journal: Journal, by: int, seconds: float = 90.0) -> bool:
    """Whether Rokt gets so many more calls in time."""
    goal = len(journal) + by
    return until(lambda: len(journal) >= goal, seconds)


def falls_silent(journal: Journal, seconds: float = 60.0) -> bool:
    """Whether Rokt gets no more calls, at some moment in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = len(journal)
        if not grows(journal, 1, 1.0):
            return len(journal) == before
    return False


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
