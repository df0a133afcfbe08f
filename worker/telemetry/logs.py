"""The log: one event a line on standard error, JSON or for people. Payloads and secrets are in no line."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from worker.telemetry.foreign import without_values
from worker.telemetry.printable import printable

REPEAT_SECONDS = 60.0
_ENCODER = msgspec.json.Encoder(enc_hook=repr)
LIBRARIES = ("opentelemetry", "asyncio", "confluent_kafka", "httpx", "httpx2", "httpcore2", "uvicorn")


class Unbroken:
    """A stream to which a line may be lost, when nobody takes it any more or its disk is full, but never an event.

    It is a logger, too. What is no warning waits for the end of the event loop's turn, so that all of a turn is written
    at once: many events are settled in one.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._awaited: asyncio.AbstractEventLoop | None = None

    def write(self, text: str) -> None:
        """Writes, if that is possible."""
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flushes, if that is possible."""
        with suppress(OSError):
            self._stream.flush()

    def info(self, line: str) -> None:
        """Writes a line: at the end of the event loop's turn where one runs, else at once."""
        self._lines.append(line)
        loop = _running_loop()
        if loop is None:
            self._write_lines()
        elif loop is not self._awaited:
            self._awaited = loop
            loop.call_soon(self._turn_ends)

    def warning(self, line: str) -> None:
        """Writes a line at once."""
        self._lines.append(line)
        self._write_lines()

    debug = info
    error = critical = warning

    def _turn_ends(self) -> None:
        self._awaited = None
        self._write_lines()

    def _write_lines(self) -> None:
        """From any thread: each line is taken by one of them."""
        text = ""
        with suppress(IndexError):
            while True:
                text += self._lines.popleft() + "\n"
        if text:
            self.write(text)
            self.flush()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Seldom(logging.Filter):
    """What telemetry's libraries complain of, once in a while: of a collector that is away they do it all the time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is to be written."""
        if not record.name.startswith("opentelemetry"):
            return True
        what, now = (record.name, record.levelno), self._clock()
        if now < self._said.get(what, 0.0):
            return False
        self._said[what] = now + REPEAT_SECONDS
        return True


def configure(style: Literal["json", "console"], level: str, stream: TextIO | None = None) -> FilteringBoundLogger:
    """Sets up the log of the whole process, libraries' lines included, and gives the worker's logger."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _stack_without_values,
    ]
    people = structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="time")
    last: Processor = _in_order if style == "json" else _for_people(people)
    ours = [_whole_line] if style == "json" else [*shared, last]
    _libraries_too(shared, last, level, out)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        Unbroken(out),
        processors=ours,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=True,
    )
    return logger


def _whole_line(_: Any, method: str, event: EventDict) -> str:
    """A line of JSON in one step: an event has one, and a chain of steps takes twice as long."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    first = {"time": now, "level": method, "event": event.pop("event", "")}
    if "exc_info" in event:
        _stack_without_values(_, method, event)
    return _ENCODER.encode({**first, **event}).decode()


def _in_order(_: Any, __: str, event: EventDict) -> str:
    """A line of JSON that begins with what every line has."""
    first = {name: event.pop(name) for name in ("time", "level", "event") if name in event}
    return _ENCODER.encode({**first, **event}).decode()


def _stack_without_values(_: Any, __: str, event: EventDict) -> EventDict:
    """An exception as its type and where it was raised; its text may quote what it was raised over."""
    given = event.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = type(error).__qualname__
        event["stack"] = "".join(traceback.format_tb(error.__traceback__))
    return event


def _for_people(renderer: Processor) -> Processor:
    """What a record or a server said cannot move the cursor, or colour the terminal."""

    def rendered(logger: Any, name: str, event: EventDict) -> Any:
        plain = {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}
        return renderer(logger, name, plain)

    return rendered


def _libraries_too(shared: list[Processor], last: Processor, level: str, out: TextIO) -> None:
    """Lines of libraries come in the same form; of their doings only what is a warning at least, and no values."""
    handler = logging.StreamHandler(Unbroken(out))
    handler.addFilter(Seldom())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[without_values, structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_stack, last],
            use_get_message=False,
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    if level == "debug":
        for name in LIBRARIES:
            logging.getLogger(name).setLevel(logging.INFO)


def _without_stack(_: Any, __: str, event: EventDict) -> EventDict:
    """A library's stack says nothing to an operator; asyncio's is that of a defect of ours."""
    if event.get("logger") != "asyncio":
        event.pop("stack", None)
    return event
