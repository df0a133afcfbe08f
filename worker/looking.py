"""Looks at a worker: how it stands at this moment, and what there is to be measured of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from worker.dispatch import Dispatcher
from worker.gate.gate import Gate
from worker.gauges import GAUGES
from worker.ledger.ledger import Ledger
from worker.settings import Settings
from worker.stalls import stalled
from worker.state import State, of_partition
from worker.stream.assignment import Assignment
from worker.stream.brokers import Brokers
from worker.stream.consumer import ConsumerThread
from worker.stream.consumption import Consumption
from worker.stream.losses import Losses
from worker.stream.retention import Retention
from worker.surroundings import Surroundings
from worker.telemetry import instruments, names
from worker.telemetry.export import Outlets
from worker.telemetry.instruments import Instrument
from worker.telemetry.meters import Labels
from worker.telemetry.metrics import Constants, Metrics, Read
from worker.telemetry.spreads import Attributes

PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}

Values = Sequence[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class Looking:
    """What is looked at. On the event loop. `retention` None: nobody looks after that."""

    gate: Gate
    ledger: Ledger
    brokers: Brokers
    consumption: Consumption
    consumer: ConsumerThread
    dispatcher: Dispatcher
    losses: Losses
    stall_seconds: float
    retention: Retention | None = None

    def state(self) -> State:
        """How it stands."""
        assigned, retention = self.consumption.assignments(), self.retention
        ends: Mapping[Assignment, int] = {} if retention is None else retention.log_ends
        clock, now_ms = time.monotonic(), int(time.time() * 1000)
        return State(
            idle_seconds=clock - self.consumption.turned_at,
            joined=self.consumption.joined,
            brokers_down=self.brokers.down,
            gate=self.gate.state,
            ledger_down=not self.ledger.up,
            stopping=self.consumer.stopping,
            partitions=[of_partition(a, ends.get(a), clock=clock, now_ms=now_ms) for a in assigned],
            under_way=self.dispatcher.under_way,
            lanes=self.dispatcher.lanes,
            stalls=stalled(assigned, self.stall_seconds, clock=clock),
            retention_left_seconds=None if retention is None else retention.left_seconds,
            records_lost=self.losses.records,
        )


def metrics_of(
    state: Callable[[], State],
    around: Surroundings,
    outlets: Outlets,
    *,
    constants: Constants,
    scraped: bool,
    more: Callable[[], Read] = dict,
) -> Metrics:
    """What is measured of a worker; `more` is read along with its state."""

    def gauges() -> Read:
        now = state()
        read: dict[Instrument, Values] = {instrument: list(look(now)) for instrument, look in GAUGES}
        read[instruments.RECORDS_LOST] = [((), now.records_lost)]
        return {**read, **more()}

    return Metrics(around.meters, gauges, outlets, constants=constants, scraped=scraped)


def constants(settings: Settings, group_id: str | None = None) -> Constants:
    """What is the same of all values of a metric, by the settings; `group_id` is who reads, if not the live group."""
    group = {names.MESSAGING_GROUP: group_id or settings.kafka.group_id}
    rokt = urlsplit(settings.rokt.base_url)
    server: Attributes = {names.SERVER_ADDRESS: rokt.hostname or "", names.SERVER_PORT: rokt.port or PORTS[rokt.scheme]}
    database = settings.ledger.url.get_secret_value().partition(":")[0]
    return {
        instruments.CONSUMED: group,
        instruments.PROCESS: group,
        instruments.REQUEST: server,
        instruments.LEDGER: {names.DB_SYSTEM: database},
    }
