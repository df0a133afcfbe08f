"""The one composition root: settings in, a worker out; who gets whom is decided here and nowhere else."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opentelemetry.trace import Tracer
from structlog.typing import FilteringBoundLogger

from worker import parts, terms
from worker.calling import Calling
from worker.decode.decoder import Decoder
from worker.dispatch import Dispatcher
from worker.gate.gate import Gate
from worker.gate.lateness import Lateness
from worker.gate.quota import Quota, Slots
from worker.ledger.ledger import Ledger
from worker.looking import Looking
from worker.pipeline import Pipeline
from worker.rereading import Credentials
from worker.retry import Backoff
from worker.rokt.client import RoktClient
from worker.settings import Settings
from worker.settle import Destinations, Settlement
from worker.state import State
from worker.stream import config
from worker.stream.brokers import Brokers
from worker.stream.cluster import Cluster
from worker.stream.consumer import ConsumerThread, OnLoop
from worker.stream.consumption import Consumption, Dispatch
from worker.stream.losses import Losses
from worker.stream.outcomes import AvroOutcomes, JsonOutcomes
from worker.stream.pauses import Limits
from worker.stream.publisher import Publisher
from worker.stream.retention import Retention
from worker.stream.takeover import Take
from worker.surroundings import Surroundings
from worker.telemetry.gate_log import teller
from worker.telemetry.meters import Meters
from worker.telemetry.tracing import Tracing
from worker.urgency import asked_by, kind_in

if TYPE_CHECKING:
    from worker.decode.registry import Registry

QUOTA_PAUSES = (0.1, 2.0)
LEDGER = "ledger"

MakeSlots = Callable[[Settings, Ledger, Callable[[], None]], Slots | None]


@dataclass(frozen=True, slots=True)
class Core:
    """What takes an event from its record to its outcome, wherever the record comes from; its producer runs."""

    pipeline: Pipeline
    ledger: Ledger
    gate: Gate
    client: RoktClient
    publisher: Publisher
    quota: Slots | None
    registry: Registry | None
    brokers: Brokers
    around: Surroundings

    def use_credentials(self, given: Credentials) -> None:
        """Takes others for every later attempt; on the event loop."""
        self.client.use(given.api_key, given.tag_id)
        self.gate.credentials_changed()

    async def close(self, *, flush_seconds: float, ledger_seconds: float) -> None:
        """Sends what is to be written, ends the lease, disconnects; within these times."""
        await self.publisher.close(flush_seconds)
        if self.quota is not None:
            await self.quota.close()
        await self.ledger.close(ledger_seconds)
        await self.client.close()
        if self.registry is not None:
            await self.registry.close()


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, built and running its producer; `consumer` is not started yet. `state` is what probes are told."""

    core: Core
    consumer: ConsumerThread
    dispatcher: Dispatcher
    retention: Retention
    state: Callable[[], State]


def core(
    settings: Settings,
    *,
    tracer: Tracer,
    log: FilteringBoundLogger,
    slots: MakeSlots | None = None,
    group: str | None = None,
) -> Core:
    """Puts the way of an event together, on the running event loop. Raises SettingsError where only a part can tell.

    `slots` are those that its calls need, if not of the fleet's budget; `group` is who reads, if not the live group.
    """
    kafka, retry = settings.kafka, settings.retry
    tracing = Tracing(tracer, group=group or kafka.group_id, link_producer=settings.tracing.producer_context == "link")
    brokers = Brokers(log, terms.REPEAT_SECONDS)
    producer_config = config.producer_config(kafka, log, brokers.trouble)
    config.check(config.consumer_config(kafka, log, brokers.trouble), producer_config)
    backoff = Backoff(retry.initial_seconds, retry.max_seconds)
    meters = Meters(config.event_types(settings.topics))
    around = Surroundings(tracing, backoff, random.SystemRandom().random, time.monotonic, _now, log, meters)
    registry = parts.registry(settings.registry)
    ledger = _ledger(settings, around)
    client = parts.client(settings, tracing, _now)
    publisher = Publisher(producer_config)
    quota = (slots or _quota)(settings, ledger, lambda: gate.admit())
    gate = _gate(settings, quota, log)
    pipeline = _pipeline(settings, registry, ledger, client, gate, publisher, around)
    return Core(pipeline, ledger, gate, client, publisher, quota, registry, brokers, around)


def build(
    settings: Settings,
    *,
    tracer: Tracer,
    log: FilteringBoundLogger,
    ended: Callable[[Exception | None], None],
    failed: Callable[[Exception], None],
) -> Worker:
    """Puts a worker together, on the running event loop. Raises SettingsError where only a part can tell.

    `ended` is called when the consumer's thread is over, `failed` when an event met an error that cannot be waited out.
    """
    kafka = settings.kafka
    made = core(settings, tracer=tracer, log=log)
    brokers = made.brokers
    consumer_config = config.consumer_config(kafka, log, brokers.trouble)
    dispatcher = Dispatcher(
        made.pipeline,
        max_under_way=kafka.max_under_way,
        clock=time.monotonic,
        fail=failed,
        log=log,
        meters=made.around.meters,
    )
    loop = asyncio.get_running_loop()
    losses = Losses(log, ask_seconds=terms.ASK_SECONDS)
    consumption = consuming(settings, made, OnLoop(dispatcher, loop), losses, log)
    retention = _retention(settings, consumption, losses, log)
    consumer = ConsumerThread(consumer_config, consumption, brokers=brokers, loop=loop, ended=ended)

    looking = Looking(
        gate=made.gate,
        ledger=made.ledger,
        brokers=brokers,
        consumption=consumption,
        consumer=consumer,
        dispatcher=dispatcher,
        losses=losses,
        stall_seconds=kafka.stall_seconds,
        retention=retention,
    )
    return Worker(made, consumer, dispatcher, retention, looking.state)


def _quota(settings: Settings, ledger: Ledger, ready: Callable[[], None]) -> Quota | None:
    cap = settings.rokt.max_calls_per_second
    return None if cap is None else Quota(cap, ledger.reserve, time.monotonic, Backoff(*QUOTA_PAUSES), ready)


def _gate(settings: Settings, quota: Slots | None, log: FilteringBoundLogger) -> Gate:
    late = Lateness(time.monotonic)
    return Gate(terms.of_gate(settings), clock=time.monotonic, notify=teller(log), quota=quota, late=late)


def consuming(
    settings: Settings,
    made: Core,
    dispatch: Dispatch,
    losses: Losses,
    log: FilteringBoundLogger,
    *,
    topics: Sequence[str] | None = None,
    take: Take | None = None,
) -> Consumption:
    """What the consumer's thread does: of these topics if not of all, and from where the group is if not as told."""
    types = config.event_types(settings.topics)
    kinds = {topic: kind_in(configured) for topic, configured in types.items()}

    def held(topic: str) -> frozenset[str]:
        return made.gate.stops_reading(asked_by(types[topic])) | frozenset(() if made.ledger.up else (LEDGER,))

    return Consumption(
        list(types if topics is None else topics),
        dispatch=dispatch,
        clock=time.monotonic,
        now_ms=_now_ms,
        held=held,
        limits=Limits(settings.kafka.max_gap_records, settings.kafka.max_bytes, kinds),
        pace=terms.of_consumption(settings),
        beginning=config.beginning(settings.kafka),
        losses=losses,
        log=log,
        take=take,
    )


def _retention(settings: Settings, consumption: Consumption, losses: Losses, log: FilteringBoundLogger) -> Retention:
    kafka = settings.kafka
    return Retention(
        Cluster(config.admin_config(kafka, log), seconds=terms.ASK_SECONDS),
        consumption.assignments,
        losses,
        check_seconds=kafka.retention_check_seconds,
        warn_share=kafka.retention_warn_share,
        from_start=not config.beginning(kafka).at_the_end,
        clock=time.monotonic,
        now_ms=_now_ms,
        log=log,
    )


def _pipeline(
    settings: Settings,
    registry: Registry | None,
    ledger: Ledger,
    client: RoktClient,
    gate: Gate,
    publisher: Publisher,
    around: Surroundings,
) -> Pipeline:
    topic = settings.topics.outcomes
    settlement = Settlement(
        publisher,
        AvroOutcomes(registry, topic, auto_register=settings.registry.auto_register) if registry else JsonOutcomes(),
        Destinations(topic, settings.topics.dead_letter_suffix, settings.kafka.group_id),
        around,
    )
    calling = Calling(
        ledger=ledger,
        client=client,
        gate=gate,
        settlement=settlement,
        attempt_seconds=settings.rokt.timeout_seconds,
        around=around,
    )
    return Pipeline(
        decoder=Decoder(config.event_types(settings.topics), registry),
        ledger=ledger,
        calling=calling,
        settlement=settlement,
        cancel_wait_seconds=settings.cancel.wait_seconds,
        confirms_wait=lambda: gate.holds_up("confirm"),
        around=around,
    )


def _ledger(settings: Settings, around: Surroundings) -> Ledger:
    return Ledger(parts.store(settings.ledger), terms.of_ledger(settings), around)


def _now() -> datetime:
    return datetime.now(UTC)


def _now_ms() -> int:
    return int(time.time() * 1000)
