"""What a process that goes on until it is told to stop needs: its event loop, its signals, its last telemetry."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from worker.telemetry import names
from worker.telemetry.export import Outlets
from worker.telemetry.metrics import Metrics

FLUSH_SECONDS = 2.0
LOOK_SECONDS = 0.02


def first(future: asyncio.Future[Exception | None], error: Exception | None) -> None:
    """Settles it, if nobody did before."""
    if not future.done():
        future.set_result(error)


def on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """The first SIGTERM or SIGINT stops; a second one leaves at once."""
    seen: list[int] = []

    def take(number: int) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, take, number)


def on_defects(log: FilteringBoundLogger) -> None:
    """What nobody catches, on whichever thread, is said in the log: its kind and where, never its text."""

    def told(error: BaseException | None) -> None:
        log.critical(names.LOG_DEFECT, thread=threading.current_thread().name, exc_info=error)

    sys.excepthook = lambda _, error, __: told(error)
    threading.excepthook = lambda args: told(args.exc_value)
    sys.unraisablehook = lambda args: told(args.exc_value)


async def flush(outlets: Outlets, metrics: Metrics | None) -> None:
    """Sends the last spans and figures; on a thread that nobody waits for, since a collector may be down or slow."""
    flushed = threading.Event()
    if metrics is not None:
        metrics.look()

    def flush() -> None:
        outlets.provider.force_flush(int(FLUSH_SECONDS * 1000))
        if metrics is not None:
            metrics.close(FLUSH_SECONDS)
        flushed.set()

    threading.Thread(target=flush, name="last-telemetry", daemon=True).start()
    for _ in range(int(FLUSH_SECONDS / LOOK_SECONDS)):
        if flushed.is_set():
            return
        await asyncio.sleep(LOOK_SECONDS)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes the fastest event loop that there is."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
