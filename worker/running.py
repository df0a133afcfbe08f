"""A worker's whole life: settings, start, signals, drain, end."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from worker import loading, process, wiring
from worker.errors import WorkerError, words
from worker.health import HealthServer
from worker.looking import constants, metrics_of
from worker.page import About, shown
from worker.rereading import Credentials, Rereading, credentials
from worker.settings import Settings
from worker.stream.config import event_types
from worker.telemetry import export, logs, names
from worker.telemetry.metrics import Metrics

CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended. `clean`: every thread is over."""

    code: int
    clean: bool


def run(env_file: Path | None, secrets_dir: Path | None) -> Ending:
    """Runs a worker until it is told to stop. Raises SettingsError."""
    settings = loading.load(os.environ, env_file, secrets_dir)
    log = logs.configure(settings.log.format, settings.log.level)
    process.on_defects(log)
    loading.telemetry(os.environ, env_file)
    outlets = export.outlets(os.environ)
    with asyncio.Runner(loop_factory=process.loop_factory()) as runner:
        return runner.run(_run(settings, outlets, log, _read_again(env_file, secrets_dir)))


async def _run(
    settings: Settings,
    outlets: export.Outlets,
    log: FilteringBoundLogger,
    read_again: Callable[[], Credentials] | None,
) -> Ending:
    loop = asyncio.get_running_loop()
    over: asyncio.Future[Exception | None] = loop.create_future()
    stop: asyncio.Future[Exception | None] = loop.create_future()
    worker = wiring.build(
        settings,
        tracer=outlets.tracer,
        log=log,
        ended=partial(process.first, over),
        failed=partial(process.first, stop),
    )
    around, served = worker.core.around, bool(settings.health.port)
    metrics = metrics_of(worker.state, around, outlets, constants=constants(settings), scraped=served)
    health = _health(settings, worker, metrics) if served else None
    process.on_signals(loop, partial(process.first, stop, None))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    worker.core.ledger.start(partial(process.first, stop))
    worker.consumer.start()
    log.info(
        names.LOG_STARTED,
        brokers=settings.kafka.bootstrap_servers,
        group=settings.kafka.group_id,
        topics=list(event_types(settings.topics)),
        rokt=settings.rokt.base_url,
    )
    beside = _beside(worker, metrics, settings, read_again, log)
    await asyncio.wait({over, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in beside:
        task.cancel()
    log.info(names.LOG_STOPPING, drain_seconds=settings.shutdown.drain_seconds)
    worker.consumer.stop()
    await asyncio.wait({over}, timeout=settings.shutdown.drain_seconds + CLOSE_SECONDS)
    failure = next((f.result() for f in (stop, over) if f.done() and f.result() is not None), None)
    await _close(worker, health, outlets, metrics)
    code = 0 if failure is None else 1
    if failure is not None:
        log.error(names.LOG_STOPPED, code=code, why=words(failure), exc_info=_stack(failure))
    else:
        log.info(names.LOG_STOPPED, code=code, left_group=over.done())
    return Ending(code, clean=over.done())


def _beside(
    worker: wiring.Worker,
    metrics: Metrics,
    settings: Settings,
    read_again: Callable[[], Credentials] | None,
    log: FilteringBoundLogger,
) -> list[asyncio.Task[None]]:
    """What goes on beside the events, until it is cancelled."""
    work = [_watch(worker, settings.kafka.stall_seconds, log), worker.retention.watch(), metrics.watch(log)]
    if read_again is not None:
        work.append(_rereading(settings, worker, read_again, log).run())
    return [asyncio.create_task(one) for one in work]


def _health(settings: Settings, worker: wiring.Worker, metrics: Metrics) -> HealthServer:
    about = About(settings.kafka.group_id, settings.rokt.base_url, settings.tracing.link)
    page = partial(shown, about, worker.core.around.recent)
    return HealthServer(settings.health.host, settings.health.port, worker.state, metrics.text, page)


async def _watch(worker: wiring.Worker, stall_seconds: float, log: FilteringBoundLogger) -> None:
    """Names the partitions that go no further, for as long as they do not."""
    while True:
        await asyncio.sleep(stall_seconds / 2)
        for stall in worker.state().stalls:
            log.warning(names.LOG_STALLED, **asdict(stall))


def _read_again(env_file: Path | None, secrets_dir: Path | None) -> Callable[[], Credentials] | None:
    """How the credentials are read again; None where nothing can change, since all is in the environment."""
    if env_file is None and secrets_dir is None:
        return None
    return lambda: credentials(loading.load(os.environ, env_file, secrets_dir).rokt)


def _rereading(
    settings: Settings, worker: wiring.Worker, read: Callable[[], Credentials], log: FilteringBoundLogger
) -> Rereading:
    return Rereading(
        read,
        credentials(settings.rokt),
        worker.core.use_credentials,
        every_seconds=settings.rokt.credentials_seconds,
        log=log,
    )


async def _close(worker: wiring.Worker, health: HealthServer | None, outlets: export.Outlets, metrics: Metrics) -> None:
    if health is not None:
        await health.close()
    await worker.core.close(flush_seconds=process.FLUSH_SECONDS, ledger_seconds=CLOSE_SECONDS)
    await process.flush(outlets, metrics)


def _stack(failure: Exception) -> Exception | None:
    """A stack is for defects; what the worker raises on purpose says all in its text."""
    return None if isinstance(failure, WorkerError) else failure
