"""The one composition root: settings in, a worker out; who gets whom is decided here and nowhere else."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opentelemetry.trace import Tracer
from pydantic import SecretStr
from structlog.typing import FilteringBoundLogger

from worker.decode import registry as registries
from worker.decode.decoder import Decoder
from worker.decode.registry import Registry
from worker.decode.schemas import FILES, load
from worker.dispatch import Dispatcher
from worker.errors import SettingsError
from worker.gate import AcceptedAgain, Gate, Notice, Refused
from worker.health import State
from worker.pipeline import Pipeline
from worker.retry import Backoff
from worker.rokt import client as rokt
from worker.rokt.client import RoktClient
from worker.rokt.transport import AiohttpTransport
from worker.settings import RegistrySettings, RoktSettings, Settings
from worker.settle import Destinations, Settlement
from worker.stream import config
from worker.stream.brokers import Brokers
from worker.stream.consumer import ConsumerThread, OnLoop
from worker.stream.consumption import Consumption, Pace
from worker.stream.outcomes import AvroOutcomes, JsonOutcomes
from worker.stream.pauses import Limits
from worker.stream.publisher import Publisher
from worker.telemetry import names
from worker.telemetry.tracing import Tracing

REPEAT_SECONDS = 30.0
REFUSED = (
    "Rokt refuses the credentials: check WORKER_ROKT__API_KEY and WORKER_ROKT__TAG_ID; "
    "no event is given up, one call at a time is tried"
)
REVOKE_SHARE = 0.5
ASK_SECONDS = 5.0
NOTHING: frozenset[str] = frozenset()
CREDENTIALS = frozenset({"credentials"})


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, built and running its producer; `consumer` is not started yet. `state` is what probes are told."""

    consumer: ConsumerThread
    dispatcher: Dispatcher
    publisher: Publisher
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
    registry = _registry(settings.registry)
    client = _client(settings, tracing)
    publisher = Publisher(producer_config)
    probe = Backoff(retry.denied_initial_seconds, retry.denied_max_seconds)
    gate = Gate(time.monotonic, probe, _teller(log), settings.rokt.max_concurrency)
    pipeline = _pipeline(settings, registry, client, gate, publisher, tracing, log)
    dispatcher = Dispatcher(pipeline, max_under_way=kafka.max_under_way, clock=time.monotonic, fail=failed, log=log)
    loop = asyncio.get_running_loop()
    consumption = Consumption(
        list(config.event_types(settings.topics)),
        dispatch=OnLoop(dispatcher, loop),
        clock=time.monotonic,
        now_ms=lambda: int(time.time() * 1000),
        held=lambda: CREDENTIALS if gate.stops_reading else NOTHING,
        limits=Limits(kafka.max_gap_records, kafka.max_bytes),
        pace=_pace(settings),
        log=log,
    )
    consumer = ConsumerThread(consumer_config, consumption, brokers=brokers, loop=loop, ended=ended)

    def state() -> State:
        assigned = consumption.assignments()
        return State(
            idle_seconds=time.monotonic() - consumption.turned_at,
            joined=consumption.joined,
            brokers_down=brokers.down,
            credentials_refused=gate.refused,
            stopping=consumer.stopping,
            partitions=len(assigned),
            stalls=dispatcher.stalls(assigned, kafka.stall_seconds),
        )

    return Worker(consumer, dispatcher, publisher, client, registry, state)


def _pipeline(
    settings: Settings,
    registry: Registry | None,
    client: RoktClient,
    gate: Gate,
    publisher: Publisher,
    tracing: Tracing,
    log: FilteringBoundLogger,
) -> Pipeline:
    retry = settings.retry
    backoff = Backoff(retry.initial_seconds, retry.max_seconds)
    chance = random.SystemRandom().random
    topic = settings.topics.outcomes
    settlement = Settlement(
        publisher,
        AvroOutcomes(registry, topic, auto_register=settings.registry.auto_register) if registry else JsonOutcomes(),
        Destinations(topic, settings.topics.dead_letter_suffix, settings.kafka.group_id),
        tracing=tracing,
        backoff=backoff,
        chance=chance,
        now=_now,
        log=log,
    )
    return Pipeline(
        decoder=Decoder(config.event_types(settings.topics), registry),
        client=client,
        gate=gate,
        settlement=settlement,
        tracing=tracing,
        backoff=backoff,
        chance=chance,
        now=_now,
        log=log,
    )


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


def _client(settings: Settings, tracing: Tracing) -> RoktClient:
    given = settings.rokt
    transport = AiohttpTransport(
        max_connections=given.max_concurrency,
        verify=_tls(given.ca_location),
        keepalive_seconds=given.keepalive_seconds,
    )
    access = rokt.Access(
        urls={
            "confirm": given.base_url + given.confirm_path,
            "release": given.base_url + given.release_path,
            "cancel": given.base_url + given.cancel_path,
            "placements": given.base_url + given.placements_path,
        },
        api_key=given.api_key.get_secret_value(),
        tag_id=given.tag_id,
        accept_language=given.accept_language,
        idempotency_key=given.idempotency_key,
        timeouts=_timeouts(given),
        max_response_bytes=given.max_response_bytes,
        max_retry_after_seconds=settings.retry.max_retry_after_seconds,
    )
    return RoktClient(transport, access, tracing, _now)


def _timeouts(given: RoktSettings) -> rokt.Timeouts:
    return rokt.Timeouts(
        total=given.timeout_seconds,
        connect=given.connect_timeout_seconds,
        read=given.read_timeout_seconds,
        write=given.write_timeout_seconds,
        pool=given.pool_timeout_seconds,
    )


def _tls(ca_location: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_location) if ca_location else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"WORKER_ROKT__CA_LOCATION: cannot be read ({type(error).__name__})"]) from None


def _registry(given: RegistrySettings) -> Registry | None:
    if given.url is None:
        return None
    properties: dict[str, Any] = {"url": given.url}
    if given.username is not None:
        properties["basic.auth.user.info"] = f"{given.username}:{_secret(given.password) or ''}"
    if given.token is not None:
        properties |= {
            "bearer.auth.credentials.source": "STATIC_TOKEN",
            "bearer.auth.token": _secret(given.token),
            "bearer.auth.logical.cluster": given.logical_cluster,
        }
        if given.identity_pool is not None:
            properties["bearer.auth.identity.pool.id"] = given.identity_pool
    files = {
        "ssl.ca.location": given.ca_location,
        "ssl.certificate.location": given.certificate_location,
        "ssl.key.location": given.key_location,
    }
    properties |= {name: str(path) for name, path in files.items() if path is not None}
    if given.key_password is not None:
        properties["ssl.key.password"] = _secret(given.key_password)
    try:
        return Registry(
            registries.Access(properties, given.timeout_seconds), {kind: load(name) for kind, name in FILES.items()}
        )
    except (ValueError, TypeError, OSError) as error:
        raise SettingsError([f"WORKER_REGISTRY__*: the client refuses them ({type(error).__name__})"]) from None


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None


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
