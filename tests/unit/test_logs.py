"""The log: one event a line, and no payload or secret in it, not even where a defect strikes."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from worker.record import Record
from worker.telemetry import logs

CANARY = "canary-7f3a"


@pytest.fixture(autouse=True)
def _the_process_log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in logs.LIBRARIES}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, held in levels.items():
        logging.getLogger(name).setLevel(held)


def handle(record: Record, api_key: str) -> None:
    assert api_key
    raise ZeroDivisionError("a defect")


class Closed(io.StringIO):
    """The pipe of a reader that is gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_line_that_nobody_takes_is_lost_and_nothing_else(style: Literal["json", "console"]) -> None:
    logs.configure(style, "info", Closed()).warning("call.retry", attempts=3)
    logging.getLogger("confluent_kafka").warning("a line of a library")


def test_a_line_of_json_has_its_event_level_and_time() -> None:
    out = io.StringIO()
    logs.configure("json", "info", out).warning("call.retry", attempts=3)
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["attempts"]) == ("call.retry", "warning", 3)
    assert line["time"].endswith("Z")


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_kept_to(level: str, lines: int) -> None:
    out = io.StringIO()
    log = logs.configure("json", level, out)
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    assert len(out.getvalue().splitlines()) == lines


def test_a_librarys_lines_come_in_the_same_form() -> None:
    out = io.StringIO()
    logs.configure("json", "info", out)
    logging.getLogger("asyncio").warning("hello %s", "you")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("hello …", "warning", "asyncio")


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_defect_does_not_write_what_it_was_working_on_into_the_log(style: Literal["json", "console"]) -> None:
    out = io.StringIO()
    log = logs.configure(style, "debug", out)
    record = Record("orders", 0, 0, None, json.dumps({"attributes": {"email": CANARY}}).encode(), (), None)
    secret = "".join([CANARY[:6], CANARY[6:]])
    try:
        handle(record, secret)
    except ZeroDivisionError:
        log.exception("event.held", topic="orders")
    assert "ZeroDivisionError" in out.getvalue()
    assert CANARY not in out.getvalue().replace("\n", "")


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_librarys_defect_does_not_either(style: Literal["json", "console"]) -> None:
    out = io.StringIO()
    logs.configure(style, "debug", out)
    try:
        handle(Record("orders", 0, 0, None, CANARY.encode(), (), None), CANARY)
    except ZeroDivisionError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    assert "never retrieved" in out.getvalue()
    assert CANARY not in out.getvalue().replace("\n", "")


def test_what_people_read_cannot_colour_their_terminal_or_turn_its_writing() -> None:
    out = io.StringIO()
    logs.configure("console", "info", out).info("event.settled", cart_id="\x1b[31mada", order_id="\u202e1\x9b2J")
    shown = out.getvalue()
    assert shown.rstrip("\n").isprintable()
    assert "\\x1b[31mada" in shown


def test_a_collector_that_is_away_is_complained_of_once_in_a_while() -> None:
    out, now = io.StringIO(), 1_000.0
    logs.configure("json", "info", out)
    [handler] = logging.getLogger().handlers
    handler.filters = [logs.Seldom(lambda: now)]
    exporter, other = logging.getLogger("opentelemetry.exporter.otlp"), logging.getLogger("asyncio")
    for _ in range(5):
        exporter.warning("retrying")
        exporter.error("given up")
        other.warning("something else")
    now += logs.REPEAT_SECONDS
    exporter.warning("still retrying")
    said = [json.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert said.count("retrying") == said.count("given up") == said.count("still retrying") == 1
    assert said.count("something else") == 5
