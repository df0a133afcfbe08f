"""What libraries say in the log: which of them, how bad, what; and nothing that was given to them."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.typing import EventDict

from infra.listening import Listening, echo
from worker import parts, process
from worker.record import Record
from worker.settings import RegistrySettings
from worker.telemetry import export, logs
from worker.telemetry.foreign import without_values

CANARY = "canary-7f3a"
RECORD = Record("orders", 0, 0, CANARY.encode(), CANARY.encode(), (("authorization", CANARY.encode()),), None)
LOOPS: tuple[Callable[[], asyncio.AbstractEventLoop], ...] = (process.loop_factory(), asyncio.new_event_loop)


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """The log of a worker that tells as much as it can."""
    root = logging.getLogger()
    before = root.handlers, root.level, {name: logging.getLogger(name).level for name in logs.LIBRARIES}
    said = io.StringIO()
    logs.configure("json", "debug", said)
    yield said
    root.handlers, _, levels = before
    root.setLevel(before[1])
    for name, held in levels.items():
        logging.getLogger(name).setLevel(held)


@pytest.fixture
def quoting() -> Iterator[Listening]:
    """A server that answers with what it was sent."""
    with Listening(echo) as server:
        yield server


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("sentence", "values", "said"),
    [
        ("retrying in %.2fs", (0.5,), "retrying in 0.50s"),
        ("code: %s, reason: %s", (503, "Service Unavailable"), "code: 503, reason: Service Unavailable"),
        ("code: %s, reason: %s", (400, CANARY), "code: 400, reason: …"),
        ("%s while exporting %s", (ValueError(CANARY), "spans"), "ValueError while exporting spans"),
        ("%r is no number for %s", (CANARY, "OTEL_BSP_SCHEDULE_DELAY"), "… is no number for OTEL_BSP_SCHEDULE_DELAY"),
        ("%(header)s", ({"header": CANARY},), "%(header)s"),
        ("100 % of it", (), "100 % of it"),
        ("it can't be closed", (), "it can't be closed"),
        (f"Unclosed connection\nclient: {CANARY}", (), "Unclosed connection"),
        (f"Exception in callback Dispatcher.accept([{CANARY}])", (), "Exception in callback Dispatcher.accept"),
        (f"ignored '{CANARY}'", (), "ignored"),
    ],
)
def test_the_sentence_is_said_and_what_is_filled_in_is_not(
    out: io.StringIO, sentence: str, values: tuple[Any, ...], said: str
) -> None:
    logging.getLogger("a.library").warning(sentence, *values)
    assert [line["event"] for line in lines(out)] == [said]


def test_a_sentence_that_wants_other_values_is_said_as_it_is() -> None:
    given: EventDict = {"event": "%d of them", "positional_args": (CANARY,)}
    assert without_values(None, "warning", given) == {"event": "%d of them"}


def test_a_header_for_the_collector_that_is_malformed_is_not_quoted(
    out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization: Bearer {CANARY}",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    export.outlets(environ).provider.shutdown()
    assert {line["logger"] for line in lines(out)} == {"opentelemetry.util.re"}
    assert CANARY not in out.getvalue()


def test_a_collector_that_answers_with_what_it_was_sent_is_not_quoted(
    out: io.StringIO, quoting: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{CANARY}@{quoting.address}/{CANARY}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-token={CANARY}",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    outlets = export.outlets(environ)
    outlets.tracer.start_span("a").end()
    outlets.provider.shutdown()
    assert CANARY in quoting.heard[0].text
    assert [line["event"] for line in lines(out)] == ["Failed to export spans batch code: 400, reason: …"]


def test_a_password_in_the_registrys_address_is_in_no_line(out: io.StringIO, quoting: Listening) -> None:
    registry = parts.registry(RegistrySettings(url=f"http://user:{CANARY}@{quoting.address}"))
    assert registry is not None

    async def ask() -> None:
        with pytest.raises(Exception, match="the registry answered 400"):
            await registry.fetch(1)
        await registry.close()

    asyncio.run(ask())
    assert "authorization: Basic" in quoting.heard[0].text
    assert lines(out)
    assert CANARY not in out.getvalue()


@pytest.mark.parametrize("loop", LOOPS, ids=["uvloop", "asyncio"])
def test_a_callback_and_a_task_that_fail_are_said_with_where_and_not_over_what(
    out: io.StringIO, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    def accept(batch: list[Record]) -> None:
        raise LookupError(batch)

    async def handle(record: Record) -> None:
        raise LookupError(record)

    async def run() -> None:
        asyncio.get_running_loop().call_soon(accept, [RECORD])
        task = asyncio.ensure_future(handle(RECORD))
        await asyncio.wait({task})
        del task
        gc.collect()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())
    told = lines(out)
    assert [line["exception"] for line in told] == ["LookupError", "LookupError"]
    assert all(place in line["stack"] for place, line in zip(("in accept", "in handle"), told, strict=True))
    assert CANARY not in out.getvalue()
