"""The endpoint's whole life in one process: settings, start, signals, the last requests, end."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from structlog.typing import FilteringBoundLogger

from worker import parts, process
from worker.ledger.patience import Patience
from worker.ledger.pruning import prune
from worker.ledger.store import Store
from worker.looking import constants
from worker.retry import Backoff
from worker.settings import Settings
from worker.stream import config
from worker.stream.brokers import Brokers
from worker.stream.publisher import Publisher
from worker.surroundings import Surroundings
from worker.telemetry import export, logs, names
from worker.telemetry.meters import Meters
from worker.telemetry.metrics import Metrics
from worker.telemetry.tracing import Tracing
from worker.terms import PRUNE_ROWS, REPEAT_SECONDS
from worker.transactions.access import Access
from worker.transactions.application import Manual, Probes, application
from worker.transactions.entrance import Entrance
from worker.transactions.form_file import read_form
from worker.transactions.formats import AvroTransactions, JsonTransactions
from worker.transactions.manual import page
from worker.transactions.openapi import document
from worker.transactions.recorder import Recorder
from worker.transactions.server import Server
from worker.transactions.service import Service
from worker.transactions.standing import Standing

if TYPE_CHECKING:
    from worker.decode.registry import Registry

CLAIM_MARGIN_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """What it talks to, made from settings."""

    around: Surroundings
    store: Store
    patience: Patience
    publisher: Publisher
    registry: Registry | None
    entrance: Entrance
    standing: Standing


def run(settings: Settings) -> int:
    """Serves until it is told to stop; the exit code. Raises SettingsError."""
    log = logs.configure(settings.log.format, settings.log.level)
    process.on_defects(log)
    outlets = export.outlets(os.environ)
    access = Access(settings.transactions)
    with asyncio.Runner(loop_factory=process.loop_factory()) as runner:
        return runner.run(_run(settings, access, outlets, log))


async def _run(settings: Settings, access: Access, outlets: export.Outlets, log: FilteringBoundLogger) -> int:
    loop, given = asyncio.get_running_loop(), settings.transactions
    form = read_form(given.fields_file, given.identity)
    made = _made(settings, outlets, log)
    metrics = Metrics(made.around.meters, dict, outlets, constants=constants(settings), scraped=True)
    service = Service(given, form, access, _recorder(settings, made), made.around, time.time)
    told = document(form, given)
    probes = Probes(made.standing.unready, metrics.text)
    server = Server(
        application(service, given.path, Manual(told, page(told)), probes),
        given,
        stop_seconds=settings.shutdown.drain_seconds,
    )
    stop: asyncio.Future[Exception | None] = loop.create_future()
    process.on_signals(loop, partial(process.first, stop, None))
    gc.freeze()
    beside = [
        loop.create_task(_opened(settings, made)),
        loop.create_task(made.standing.watch()),
        loop.create_task(metrics.watch(log)),
    ]
    log.info(names.LOG_SERVING, port=given.port, path=given.path, ways=list(access.ways), topic=_topic(settings))
    ended: set[asyncio.Future[Any]] = {stop, server.serving}
    await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    made.standing.stopping = True
    log.info(names.LOG_STOPPING, drain_seconds=settings.shutdown.drain_seconds)
    await server.close()
    for task in beside:
        task.cancel()
    await _close(made)
    await process.flush(outlets, metrics)
    log.info(names.LOG_STOPPED, code=0)
    return 0


def _made(settings: Settings, outlets: export.Outlets, log: FilteringBoundLogger) -> _Parts:
    tracing = Tracing(outlets.tracer, group=settings.kafka.group_id, link_producer=False)
    backoff = Backoff(settings.retry.initial_seconds, settings.retry.max_seconds)
    around = Surroundings(tracing, backoff, random.SystemRandom().random, time.monotonic, _now, log, Meters())
    brokers = Brokers(log, REPEAT_SECONDS)
    producer_config = config.producer_config(settings.kafka, log, brokers.trouble)
    config.check(config.consumer_config(settings.kafka, log, brokers.trouble), producer_config)
    store, patience = parts.store(settings.ledger), Patience(around)
    publisher = Publisher(producer_config)
    seconds = settings.kafka.delivery_seconds + CLAIM_MARGIN_SECONDS
    entrance = Entrance(store, patience, str(uuid.uuid4()), seconds)
    standing = Standing(brokers, store, patience, publisher)
    return _Parts(around, store, patience, publisher, parts.registry(settings.registry), entrance, standing)


def _recorder(settings: Settings, made: _Parts) -> Recorder:
    topic = _topic(settings)
    registered = made.registry
    auto = settings.registry.auto_register
    return Recorder(
        made.entrance,
        made.publisher,
        JsonTransactions() if registered is None else AvroTransactions(registered, topic, auto_register=auto),
        topic=topic,
        patient_seconds=settings.kafka.delivery_seconds,
        around=made.around,
        heard=made.standing.heard,
    )


async def _opened(settings: Settings, made: _Parts) -> None:
    """Opens the ledger, however long that takes; then takes out of it what is old, as workers do."""
    await made.patience.until_done("open", made.store.open)
    made.standing.opened = True
    days, seconds = settings.ledger.retention_days, settings.ledger.prune_seconds
    await prune(made.store, made.patience, days=days, rows=PRUNE_ROWS, seconds=seconds)


async def _close(made: _Parts) -> None:
    await made.publisher.close(process.FLUSH_SECONDS)
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await made.entrance.close()
    except TimeoutError:
        made.around.log.warning(names.LOG_LEDGER_UNCLOSED, why="it took too long")
    await made.store.close()
    if made.registry is not None:
        await made.registry.close()


def _topic(settings: Settings) -> str:
    return settings.topics.transactions


def _now() -> datetime:
    return datetime.now(UTC)
