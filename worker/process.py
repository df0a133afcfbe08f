"""What a process that goes on until it is told to stop needs: its event loop, its signals, its last spans."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

from opentelemetry.sdk.trace import TracerProvider

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


async def flush(provider: TracerProvider) -> None:
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


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes the fastest event loop that there is."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
