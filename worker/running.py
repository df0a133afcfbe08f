"""A worker's whole life: settings, start, signals, drain, end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from dotenv import dotenv_values
from opentelemetry.sdk.trace import TracerProvider
from structlog.typing import FilteringBoundLogger

from worker import loading, wiring
from worker.errors import WorkerError
from worker.health import HealthServer
from worker.rereading import Credentials, Rereading, credentials
from worker.settings import Settings, without_effect
from worker.stream.config import event_types
from worker.telemetry import export, logs, names
from worker.telemetry.metrics import Metrics

CLOSE_SECONDS = 5.0
FLUSH_SECONDS = 2.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended. `clean`: every thread is over."""

    code: int
    clean: bool


def run(env_file: Path | None, secrets_dir: Path | None) -> Ending:
    """Runs a worker until it is told to stop. Raises SettingsError."""
    settings = loading.load(os.environ, env_file, secrets_dir)
    log = logs.configure(settings.log.format, settings.log.level)
    _telemetry_from(env_file)
    provider = export.tracer_provider(os.environ)
    for name in without_effect(settings):
        log.warning(names.LOG_NO_EFFECT, setting=name, why="accepted, but this version does nothing with it yet")
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(settings, provider, log, _read_again(env_file, secrets_dir)))


async def _run(
    settings: Settings,
    provider: TracerProvider,
    log: FilteringBoundLogger,
    read_again: Callable[[], Credentials] | None,
) -> Ending:
    loop = asyncio.get_running_loop()
    over: asyncio.Future[Exception | None] = loop.create_future()
    stop: asyncio.Future[Exception | None] = loop.create_future()
    worker = wiring.build(
        settings,
        tracer=provider.get_tracer("rokt-worker"),
        log=log,
        ended=partial(_first, over),
        failed=partial(_first, stop),
    )
    health = _health(settings, worker) if settings.health.port else None
    _on_signals(loop, partial(_first, stop, None))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    worker.ledger.start(partial(_first, stop))
    worker.consumer.start()
    log.info(
        names.LOG_STARTED,
        brokers=settings.kafka.bootstrap_servers,
        group=settings.kafka.group_id,
        topics=list(event_types(settings.topics)),
        rokt=settings.rokt.base_url,
    )
    beside = [
        asyncio.create_task(_watch(worker, settings.kafka.stall_seconds, log)),
        asyncio.create_task(worker.retention.watch()),
    ]
    if read_again is not None:
        beside.append(asyncio.create_task(_rereading(settings, worker, read_again, log).run()))
    await asyncio.wait({over, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in beside:
        task.cancel()
    log.info(names.LOG_STOPPING, drain_seconds=settings.shutdown.drain_seconds)
    worker.consumer.stop()
    await asyncio.wait({over}, timeout=settings.shutdown.drain_seconds + CLOSE_SECONDS)
    failure = next((f.result() for f in (stop, over) if f.done() and f.result() is not None), None)
    await _close(worker, health, provider)
    code = 0 if failure is None else 1
    if failure is not None:
        log.error(names.LOG_STOPPED, code=code, why=str(failure), exc_info=_stack(failure))
    else:
        log.info(names.LOG_STOPPED, code=code, left_group=over.done())
    return Ending(code, clean=over.done())


def _health(settings: Settings, worker: wiring.Worker) -> HealthServer:
    return HealthServer(settings.health.host, settings.health.port, worker.state, Metrics(worker.state).text)


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
        worker.use_credentials,
        every_seconds=settings.rokt.credentials_seconds,
        log=log,
    )


async def _close(worker: wiring.Worker, health: HealthServer | None, provider: TracerProvider) -> None:
    if health is not None:
        await health.close()
    await worker.publisher.close(FLUSH_SECONDS)
    if worker.quota is not None:
        await worker.quota.close()
    await worker.ledger.close(CLOSE_SECONDS)
    await worker.client.close()
    if worker.registry is not None:
        await worker.registry.close()
    await _flush(provider)


async def _flush(provider: TracerProvider) -> None:
    """Sends the last spans; on a thread that nobody waits for, since a tracing backend may be down or slow."""
    flushed = threading.Event()

    def flush() -> None:
        provider.force_flush(int(FLUSH_SECONDS * 1000))
        flushed.set()

    threading.Thread(target=flush, name="last-spans", daemon=True).start()
    for _ in range(int(FLUSH_SECONDS / LOOK_SECONDS)):
        if flushed.is_set():
            return
        await asyncio.sleep(LOOK_SECONDS)


def _first(future: asyncio.Future[Exception | None], error: Exception | None) -> None:
    if not future.done():
        future.set_result(error)


def _on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """The first SIGTERM or SIGINT stops; a second one leaves at once."""
    seen: list[int] = []

    def take(number: int) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, take, number)


def _stack(failure: Exception) -> Exception | None:
    """A stack is for defects; what the worker raises on purpose says all in its text."""
    return None if isinstance(failure, WorkerError) else failure


def _telemetry_from(env_file: Path | None) -> None:
    if env_file is not None:
        for name, value in dotenv_values(env_file).items():
            if name.startswith("OTEL_") and value is not None:
                os.environ.setdefault(name, value)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
