"""What one run has to itself: a Rokt, the proxy before it, workers, and a supply of events that does not run dry."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from faults.load import Event, Fleet
from infra.brokers import Broker
from infra.certificates import Authority
from infra.events import encoded
from infra.fault_proxy import HOST, RIGHT, FaultProxy
from infra.faults_on_the_way import Fault, Passing
from infra.names import Names
from infra.rokt import Rokt
from infra.worker import until
from outages.circuits import monotonic, opened
from outages.figures import Attempt, Figures, while_open
from outages.rates import between, rate, seconds_until

LONG = os.environ.get("WORKER_TEST_OUTAGES", "") == "long"
LATENCY_SECONDS = 0.2
CONCURRENCY = 20 if LONG else 8
# So many calls a second are what Rokt allows: by its latency, not by what the machine can do. A busy one makes fewer.
FULL_RATE = CONCURRENCY / LATENCY_SECONDS
WARM_RATE = 0.7 * FULL_RATE
AHEAD = int(2 * FULL_RATE)
SETTLING = frozenset((200, 404, 409))
OPERATIONS = {"/v1/Cart/confirm": "confirm", "/v1/Cart/release": "release", "/v1/Confirmation/cancel": "cancel"}
ROKT_NAME = "rokt.test"
OTHER_HOST, OTHER_ISSUER = "another host", "another issuer"
RECOVERY_SECONDS = 45.0
SETTINGS = {
    "WORKER_LOG__LEVEL": "debug",
    "WORKER_ROKT__TIMEOUT_SECONDS": "3",
    "WORKER_LEDGER__LEASE_SECONDS": "4.5",
    "WORKER_RETRY__INITIAL_SECONDS": "0.1",
    "WORKER_RETRY__MAX_SECONDS": "1",
    "WORKER_RETRY__DENIED_INITIAL_SECONDS": "1",
    "WORKER_RETRY__DENIED_MAX_SECONDS": "5",
    "WORKER_SHUTDOWN__DRAIN_SECONDS": "10",
}


class Stage:
    """One run's own Rokt, proxy, topics and workers. `unseen`: the fault is one behind which the proxy sees nothing."""

    def __init__(
        self, broker: Broker, folder: Path, rokt: Rokt, proxy: FaultProxy, concurrency: int, **settings: str
    ) -> None:
        self.rokt = rokt
        self.proxy = proxy
        self.names = Names(folder)
        at_once = {"WORKER_ROKT__MAX_CONCURRENCY": str(concurrency)}
        self._latency = {"kind": "fixed", "seconds": concurrency / FULL_RATE}
        self.fleet = Fleet(broker, proxy.url, folder, **SETTINGS | at_once | settings)
        self.fleet.create_topics(partitions=4)
        self.unseen = False
        self.published: list[str] = []
        self._number = 0
        self._moment = monotonic(time.monotonic() - time.time())
        self.mend()

    def order(self, fault: Fault) -> None:
        self.proxy.order(fault)

    def order_of_rokt(self, **faults: Any) -> None:
        """These, and the usual latency unless they say another."""
        self.rokt.faults(**{"latency": self._latency} | faults)

    def mend(self) -> None:
        """Everything is well."""
        self.proxy.order(Passing())
        self.order_of_rokt()
        self.names.are(ROKT_NAME)

    def by_name(self) -> None:
        """Rokt has a name, which can go away."""
        self.fleet.command = self.names.command(self.fleet.command)
        self.fleet.settings["WORKER_ROKT__BASE_URL"] = self.proxy.url.replace(HOST, ROKT_NAME)

    def publish(self, topic: str, event: dict[str, Any]) -> None:
        self.fleet.broker.produce(topic, encoded(event), event["cartId"])

    def publish_checkout(self, cart: str) -> None:
        event = Event(cart, 0)
        self.fleet.broker.produce(self.fleet.completed, event.value(), event.cart)
        self.published.append(event.reservation)

    @contextmanager
    def supply(self, ahead: int = AHEAD) -> Iterator[None]:
        """Checkouts of ever new carts, always so many ahead of what is settled."""
        ended = threading.Event()

        def feed() -> None:
            begun = len(self.published) - self.settled()
            while not ended.wait(0.1):
                for _ in range(ahead + begun - (len(self.published) - self.settled())):
                    self._number += 1
                    self.publish_checkout(f"cart-{self._number}")

        feeding = threading.Thread(target=feed, name="supply", daemon=True)
        feeding.start()
        try:
            yield
        finally:
            ended.set()
            feeding.join()

    def settled(self) -> int:
        """How many calls have an answer that settles them."""
        return sum(request.status in SETTLING for request in self.proxy.requests())

    def taken(self) -> list[float]:
        """When each call was answered that Rokt took."""
        requests = self.proxy.requests()
        return sorted(r.answered_at for r in requests if r.answered_at is not None and r.status in (200, 409))

    def warm_up(self) -> float:
        """Until the worker is about as fast as it can be; returns when that is."""
        began = time.monotonic()
        assert until(self.at_rate(WARM_RATE, began), RECOVERY_SECONDS), "it never came to full rate"
        return time.monotonic()

    def at_rate(self, wanted: float, since: float) -> Callable[[], bool]:
        """Whether Rokt took so many calls in some second behind `since`, and that second is over."""

        def reached() -> bool:
            times = self.taken()
            after = seconds_until(times, since, wanted)
            return after is not None and time.monotonic() > since + after + 1

        return reached

    def attempts(self) -> list[Attempt]:
        """As the proxy saw them; where none could come so far, those that failed are told by the log."""
        requests = [r for r in self.proxy.requests() if r.status is not None or not self.unseen]
        seen = [Attempt(request.at, OPERATIONS[request.path]) for request in requests]
        lines = self.fleet.lines("call.retry") if self.unseen else []
        told = [Attempt(self._moment(line["time"]), line["operation"]) for line in lines]
        return sorted(seen + told, key=lambda attempt: attempt.at)

    def dead_letters(self) -> list[dict[str, str]]:
        """Their headers, and `key`."""
        letters = [
            record for topic in self.fleet.sources for record in self.fleet.broker.read(f"{topic}.dlq", timeout=5)
        ]
        return [
            {name: (value or b"").decode() for name, value in letter.headers} | {"key": (letter.key or b"").decode()}
            for letter in letters
        ]

    def figures(self, name: str, fault: tuple[float, float], **more: Any) -> Figures:
        """Of the whole run, once its workers have ended; `fault`: from when to when."""
        letters = self.dead_letters()
        given_up = {letter["key"] for letter in letters}
        found, summary = self.rokt.reservations(), self.rokt.summary()
        lost = [r for r in self.published if not found.get(r, {}).get("confirms") and _cart(r) not in given_up]
        attempts = self.attempts()
        spans = opened(self.fleet.lines(), self._moment, time.monotonic())
        calls, seconds, most = while_open(attempts, spans)
        return Figures(
            name=name,
            events=len(self.published),
            lost=len(lost),
            doubled=summary["double_effects"] + summary["repeated_releases"],
            dead=Counter(letter["dlq.reason"] for letter in letters),
            fault_seconds=fault[1] - fault[0],
            calls_in_fault=len(between([attempt.at for attempt in attempts], *fault)),
            open_calls=calls,
            open_seconds=seconds,
            open_most=most,
            circuits=frozenset(span.circuit for span in spans),
            **more,
        )

    def rates(self, begin: float, fault: tuple[float, float], end: float) -> dict[str, float | None]:
        """Before the fault, at the end, and how long after it 90 % of the one before were there."""
        times = self.taken()
        before = rate(times, begin, fault[0])
        full_after = seconds_until(times, fault[1], 0.9 * before)
        after = None if full_after is None else rate(times, fault[1] + full_after, end)
        return {"rate_before": before, "rate_after": after, "full_after": full_after}


@contextmanager
def staged(
    broker: Broker, folder: Path, concurrency: int = CONCURRENCY, *, tls: bool = False, **settings: str
) -> Iterator[Stage]:
    """A run's own things, with no worker started yet; all are ended afterwards.

    However many calls at once there are, they make the same full rate.
    """
    rokt = Rokt()
    proxy = None
    stage = None
    try:
        if tls:
            known, unknown = Authority(folder, "known"), Authority(folder, "unknown")
            wrong = {OTHER_HOST: known.context("rokt.example"), OTHER_ISSUER: unknown.context(HOST)}
            proxy = FaultProxy(rokt.url, {RIGHT: known.context(HOST)} | wrong)
            settings["WORKER_ROKT__CA_LOCATION"] = str(known.file)
        else:
            proxy = FaultProxy(rokt.url)
        stage = Stage(broker, folder, rokt, proxy, concurrency, **settings)
        yield stage
        assert "Traceback" not in stage.fleet.output(), stage.fleet.output()[-3000:]
    finally:
        if stage is not None:
            stage.fleet.end()
        if proxy is not None:
            proxy.stop()
        rokt.stop()


def _cart(reservation: str) -> str:
    return reservation.partition("-reservation-")[0]
