"""The common course of an outage: full rate, the fault, everything well again, full rate, every event accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, Literal, TypeAlias

from infra.brokers import Broker, Kind
from infra.faults_on_the_way import (
    Answering,
    CuttingBodies,
    Delaying,
    Dripping,
    Fault,
    LosingAnswers,
    Passing,
    Presenting,
    Refusing,
    Silent,
)
from infra.worker import until
from outages.figures import Figures
from outages.rates import rate
from outages.stage import CONCURRENCY, LATENCY_SECONDS, LONG, OTHER_HOST, OTHER_ISSUER, RECOVERY_SECONDS, Stage, staged

Order: TypeAlias = Callable[[Stage], None]
Circuit: TypeAlias = Literal["confirm", "credentials", "rejections"]
BEFORE_SECONDS = 10.0 if LONG else 2.0
FULL_SECONDS = 10.0
# The mark is for a machine that does nothing else.
TOLERANCE_SECONDS = 0.0 if LONG else 10.0
YEAR = "31536000"


@dataclass(frozen=True, slots=True)
class Phase:
    """A fault and how long it is there; in the long form, how long at least. `felt`: whether calls can fail by it."""

    order: Order
    seconds: float
    long_seconds: float = 60.0
    felt: bool = True

    @property
    def lasts(self) -> float:
        return max(self.seconds, self.long_seconds) if LONG else self.seconds


@dataclass(frozen=True, slots=True)
class Outage:
    """`opens`: the circuit that has to open, "" when none may, None when it does not matter.

    `full_seconds`: within which time of the recovery the full rate has to be back. `unseen`: as a Stage has it.
    """

    name: str
    phases: tuple[Phase, ...]
    opens: Circuit | Literal[""] | None = "confirm"
    settings: dict[str, str] = field(default_factory=dict)
    broker: Kind = "embedded"
    tls: bool = False
    by_name: bool = False
    unseen: bool = False
    dead_at_most: int = 0
    full_seconds: float = FULL_SECONDS
    concurrency: int = CONCURRENCY

    @property
    def seconds(self) -> float:
        return sum(phase.lasts for phase in self.phases)

    def __str__(self) -> str:
        return self.name

    def play(self, broker: Broker, folder: Path) -> Figures:
        with staged(broker, folder, self.concurrency, tls=self.tls, **self.settings) as stage:
            stage.unseen = self.unseen
            if self.by_name:
                stage.by_name()
            stage.fleet.start()
            with stage.supply():
                begin = stage.warm_up()
                time.sleep(BEFORE_SECONDS)
                fault = self._suffer(stage)
                until(stage.at_rate(0.9 * rate(stage.taken(), begin, fault[0]), fault[1]), RECOVERY_SECONDS)
                end = time.monotonic()
            assert stage.fleet.all_committed(60), "not every event was settled"
            assert stage.fleet.stop() == 0
            return stage.figures(self.name, fault, **stage.rates(begin, fault, end))

    def _suffer(self, stage: Stage) -> tuple[float, float]:
        """From when calls could fail, and when everything was well again."""
        begun = None
        for phase in self.phases:
            if phase.felt and begun is None:
                begun = time.monotonic()
            phase.order(stage)
            time.sleep(phase.lasts)
        stage.mend()
        end = time.monotonic()
        return begun or end, end


def on_the_way(fault: Fault) -> Order:
    return lambda stage: stage.order(fault)


def at_rokt(**faults: Any) -> Order:
    return lambda stage: stage.order_of_rokt(**faults)


def no_name(stage: Stage) -> None:
    stage.names.are()


def hang_up(stage: Stage) -> None:
    """Every connection is gone, and new ones are taken."""
    stage.order(Refusing())
    stage.order(Passing())


def soon() -> str:
    """An HTTP date two seconds ahead."""
    return formatdate(time.time() + 2, usegmt=True)


def throttled(*texts: Callable[[], str], seconds: float) -> tuple[Phase, ...]:
    return tuple(Phase(on_the_way(Answering(429, text, LATENCY_SECONDS)), seconds) for text in texts)


def _one(order: Order, seconds: float = 5.0, long_seconds: float = 60.0) -> tuple[Phase, ...]:
    return (Phase(order, seconds, long_seconds),)


TIMEOUT_DEFAULT = {"WORKER_ROKT__TIMEOUT_SECONDS": "10", "WORKER_LEDGER__LEASE_SECONDS": "16"}
TIMEOUT_SHORT = {"WORKER_ROKT__TIMEOUT_SECONDS": "1", "WORKER_LEDGER__LEASE_SECONDS": "2"}
BOUNDED = {"WORKER_RETRY__MAX_RETRY_AFTER_SECONDS": "2"}

OUTAGES = (
    # The call that tries how it is may have been sent just before the recovery, and is then waited for.
    Outage(
        "30 s answers, default time-out",
        _one(on_the_way(Delaying(30)), 12),
        settings=TIMEOUT_DEFAULT,
        full_seconds=FULL_SECONDS + 10,
        concurrency=3 * CONCURRENCY,
    ),
    Outage("503 to all", _one(at_rokt(outage=True), 20, 600)),
    Outage("503 to all, on Kafka", _one(at_rokt(outage=True)), broker="kafka"),
    Outage("connections refused", _one(on_the_way(Refusing())), unseen=True),
    Outage("no answer", _one(on_the_way(Silent())), "confirm", TIMEOUT_SHORT),
    Outage("answers lost after applying", _one(on_the_way(LosingAnswers()))),
    Outage("30 s answers, time-out 1 s", _one(on_the_way(Delaying(30))), "confirm", TIMEOUT_SHORT),
    Outage("a byte a second", _one(on_the_way(Dripping(1))), "confirm", TIMEOUT_SHORT),
    Outage("a body cut in the middle", _one(on_the_way(CuttingBodies()), 3), ""),
    Outage("429, Retry-After in seconds", throttled(lambda: "2", seconds=5), None),
    Outage("429, Retry-After as a date", throttled(soon, seconds=5), None),
    Outage(
        "429, Retry-After absurd",
        throttled(lambda: YEAR, lambda: "-5", lambda: "soon", lambda: "9" * 400, seconds=1.5),
        None,
        BOUNDED,
    ),
    Outage("a wrong key", _one(at_rokt(errors={"401": 1})), "credentials"),
    # What was under way when it began is answered 200 between the first 404s, and a row of rejections begins anew.
    Outage(
        "404 to all",
        _one(on_the_way(Answering(404, seconds=LATENCY_SECONDS))),
        "rejections",
        dead_at_most=50 + CONCURRENCY,
    ),
    Outage(
        "TLS, wrong certificate",
        (Phase(on_the_way(Presenting(OTHER_HOST)), 3), Phase(on_the_way(Presenting(OTHER_ISSUER)), 3)),
        tls=True,
        unseen=True,
    ),
    # Who is connected needs no name, and who asked keeps the answer for 10 s.
    Outage("a name that goes away", (Phase(no_name, 11, felt=False), Phase(hang_up, 4)), by_name=True, unseen=True),
)
