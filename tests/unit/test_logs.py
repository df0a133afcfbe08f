"""The log: one event a line, and no payload or secret in it, not even where a defect strikes."""

import asyncio
import io
import json
import logging
import threading
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


class Counted(io.StringIO):
    """Counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.getvalue().splitlines()]


def test_the_lines_of_a_turn_are_written_at_its_end_and_a_warning_at_once_with_those_before_it() -> None:
    out = Counted()
    log = logs.configure("json", "info", out)

    async def main() -> None:
        for event in ("event-0", "event-1", "event-2"):
            log.info(event)
        assert out.events == []
        log.warning("event-3")
        assert out.events == ["event-0", "event-1", "event-2", "event-3"]
        log.info("event-4")
        await asyncio.sleep(0)
        assert out.events[-1] == "event-4"
        log.info("event-5")

    asyncio.run(main())
    assert out.events == [f"event-{number}" for number in range(6)]
    assert out.writes == 3


def test_a_loop_that_ends_before_its_turn_does_keeps_no_line_of_the_next_one() -> None:
    out = Counted()
    log = logs.configure("json", "info", out)
    broken = asyncio.new_event_loop()
    broken.call_soon(log.info, "event-0")
    broken.call_soon(broken.stop)
    broken.run_forever()
    broken.close()

    async def main() -> None:
        log.info("event-1")

    asyncio.run(main())
    assert out.events == ["event-0", "event-1"]


def test_lines_of_many_threads_and_a_loop_are_all_written_once() -> None:
    out = Counted()
    log = logs.configure("json", "info", out)

    def some(name: str) -> list[str]:
        return [f"{name}-{number}" for number in range(500)]

    def told(name: str) -> None:
        for event in some(name):
            log.info(event)

    async def main() -> None:
        threads = [threading.Thread(target=told, args=(f"thread-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for event in some("loop"):
            log.info(event)
            await asyncio.sleep(0)
        for thread in threads:
            await asyncio.to_thread(thread.join)

    asyncio.run(main())
    names = [*(f"thread-{number}" for number in range(4)), "loop"]
    assert sorted(out.events) == sorted(event for name in names for event in some(name))


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
