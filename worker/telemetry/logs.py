"""The log: one event a line on standard error, JSON or for people. Payloads and secrets are in no line."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

LIBRARIES = ("opentelemetry", "aiohttp", "asyncio", "confluent_kafka", "httpx", "httpx2", "httpcore2", "uvicorn")


def configure(style: Literal["json", "console"], level: str, stream: TextIO | None = None) -> FilteringBoundLogger:
    """Sets up the log of the whole process, libraries' lines included, and gives the worker's logger."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info if style == "json" else _as_is,
    ]
    last: Processor = (
        _in_order
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="time")
    )
    _libraries_too(shared, last, level, out)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=True,
    )
    return logger


def _in_order(_: Any, __: str, event: EventDict) -> str:
    """A line of JSON that begins with what every line has."""
    first = {name: event.pop(name) for name in ("time", "level", "event") if name in event}
    return msgspec.json.encode({**first, **event}, enc_hook=repr).decode()


def _as_is(_: Any, __: str, event: EventDict) -> EventDict:
    return event


def _libraries_too(shared: list[Processor], last: Processor, level: str, out: TextIO) -> None:
    """Lines of libraries come in the same form; of their doings only what is a warning at least."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_stack, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    if level == "debug":
        for name in LIBRARIES:
            logging.getLogger(name).setLevel(logging.INFO)


def _without_stack(_: Any, __: str, event: EventDict) -> EventDict:
    """A library's stack says nothing to an operator, and may quote what it was working on."""
    event.pop("exception", None)
    event.pop("exc_info", None)
    return event
