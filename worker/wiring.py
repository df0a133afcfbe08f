"""The one composition root: settings in, a worker out; who gets whom is decided here and nowhere else."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from opentelemetry.trace import Tracer
from structlog.typing import FilteringBoundLogger

from worker import parts
from worker.calling import Calling
from worker.decode.decoder import Decoder
from worker.decode.registry import Registry
from worker.dispatch import Dispatcher
from worker.gate import AcceptedAgain, Gate, Notice, Refused
from worker.health import State
from worker.ledger.ledger import Ledger, Terms
from worker.pipeline import Pipeline
from worker.retry import Backoff
from worker.rokt.client import RoktClient
from worker.settings import Settings
from worker.settle import Destinations, Settlement
from worker.stream import config
from worker.stream.brokers import Brokers
from worker.stream.consumer import ConsumerThread, OnLoop
from worker.stream.consumption import Consumption, Pace
from worker.stream.outcomes import AvroOutcomes, JsonOutcomes
from worker.stream.pauses import Limits
from worker.stream.publisher import Publisher
from worker.surroundings import Surroundings
from worker.telemetry import names
from worker.telemetry.tracing import Tracing

REPEAT_SECONDS = 30.0
REFUSED = (
    "Rokt refuses the credentials: check WORKER_ROKT__API_KEY and WORKER_ROKT__TAG_ID; "
    "no event is given up, one call at a time is tried"
)
REVOKE_SHARE = 0.5
ASK_SECONDS = 5.0
PRUNE_ROWS = 500
CREDENTIALS = "credentials"
LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, built and running its producer; `consumer` is not started yet. `state` is what probes are told."""

    consumer: ConsumerThread
    dispatcher: Dispatcher
    publisher: Publisher
    ledger: Ledger
    client: RoktClient
    registry: Registry | None
    state: Callable[[], State]


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
    kafka, retry = settings.kafka, settings.retry
    tracing = Tracing(tracer, group=kafka.group_id, link_producer=settings.tracing.producer_context == "link")
    brokers = Brokers(log, REPEAT_SECONDS)
    consumer_config = config.consumer_config(kafka, log, brokers.trouble)
    producer_config = config.producer_config(kafka, log, brokers.trouble)
    config.check(consumer_config, producer_config)
    backoff = Backoff(retry.initial_seconds, retry.max_seconds)
    around = Surroundings(tracing, backoff, random.SystemRandom().random, time.monotonic, _now, log)
    registry = parts.registry(settings.registry)
    ledger = _ledger(settings, around)
    client = parts.client(settings, tracing, _now)
    publisher = Publisher(producer_config)
    probe = Backoff(retry.denied_initial_seconds, retry.denied_max_seconds)
    gate = Gate(time.monotonic, probe, _teller(log), settings.rokt.max_concurrency)
    pipeline = _pipeline(settings, registry, ledger, client, gate, publisher, around)
    dispatcher = Dispatcher(pipeline, max_under_way=kafka.max_under_way, clock=time.monotonic, fail=failed, log=log)
    loop = asyncio.get_running_loop()
    consumption = _consumption(settings, OnLoop(dispatcher, loop), gate, ledger, log)
    consumer = ConsumerThread(consumer_config, consumption, brokers=brokers, loop=loop, ended=ended)

    def state() -> State:
        assigned = consumption.assignments()
        return State(
            idle_seconds=time.monotonic() - consumption.turned_at,
            joined=consumption.joined,
            brokers_down=brokers.down,
            credentials_refused=gate.refused,
            ledger_down=not ledger.up,
            stopping=consumer.stopping,
            partitions=len(assigned),
            stalls=dispatcher.stalls(assigned, kafka.stall_seconds),
        )

    return Worker(consumer, dispatcher, publisher, ledger, client, registry, state)


def _consumption(
    settings: Settings, dispatch: OnLoop, gate: Gate, ledger: Ledger, log: FilteringBoundLogger
) -> Consumption:
    def held() -> frozenset[str]:
        return frozenset(why for why, holds in ((CREDENTIALS, gate.stops_reading), (LEDGER, not ledger.up)) if holds)

    return Consumption(
        list(config.event_types(settings.topics)),
        dispatch=dispatch,
        clock=time.monotonic,
        now_ms=lambda: int(time.time() * 1000),
        held=held,
        limits=Limits(settings.kafka.max_gap_records, settings.kafka.max_bytes),
        pace=_pace(settings),
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
        around=around,
    )


def _ledger(settings: Settings, around: Surroundings) -> Ledger:
    terms = Terms(
        owner=str(uuid.uuid4()),
        lease_seconds=parts.lease_seconds(settings),
        group=settings.ledger.group_requests,
        retention_days=settings.ledger.retention_days,
        prune_rows=PRUNE_ROWS,
        prune_seconds=settings.ledger.prune_seconds,
    )
    return Ledger(parts.store(settings.ledger), terms, around)


def _pace(settings: Settings) -> Pace:
    kafka, drain = settings.kafka, settings.shutdown.drain_seconds
    return Pace(
        batch=kafka.batch_records,
        poll_seconds=kafka.poll_seconds,
        commit_seconds=kafka.commit_seconds,
        commit_records=kafka.commit_records,
        ask_seconds=ASK_SECONDS,
        revoke_seconds=min(drain, config.max_poll_interval_seconds(kafka) * REVOKE_SHARE),
        drain_seconds=drain,
        repeat_seconds=REPEAT_SECONDS,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _teller(log: FilteringBoundLogger) -> Callable[[Notice], None]:
    def tell(notice: Notice) -> None:
        match notice:
            case Refused(tries, next_try_seconds):
                log.error(
                    names.LOG_DENIED,
                    tries=tries,
                    next_try_seconds=next_try_seconds,
                    mend=REFUSED,
                )
            case AcceptedAgain():
                log.warning(names.LOG_ACCEPTED_AGAIN)

    return tell
