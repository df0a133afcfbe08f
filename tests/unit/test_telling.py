"""What is told of a settled event: one line by its outcome, its span's last words, what is measured."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

import pytest
import structlog
from msgspec.structs import replace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from worker import telling
from worker.events import CheckoutCompleted
from worker.ledger.entries import Entry, Origin
from worker.record import Record
from worker.retry import Backoff
from worker.rokt.answers import Accepted, Answer, Failed, Refused, Throttled
from worker.stopping import Stop
from worker.surroundings import Surroundings
from worker.telemetry.export import Provider
from worker.telemetry.meters import Count, Counter, Timer
from worker.telemetry.tracing import Source, Tracing
from worker.verdict import Death
from worker.work import Fate, Work

NOW = datetime(2026, 11, 25, 12, 0, 10, tzinfo=UTC)
EVENT = CheckoutCompleted("event-1", NOW, "ada", "order-1")
ENTRY = Entry("key-1", "confirm", "ada", "order-1", b"", Origin("event-1", 0, "orders", 0, 7, None), "me", 1, 0)
DONE = replace(ENTRY, status="succeeded", attempts=2, http_status=200)


class Told:
    """Surroundings that remember what was said."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._exporter = InMemorySpanExporter()
        provider = Provider(Resource({}), {}, records=True)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider.get_tracer("test"), group="g", link_producer=False)
        log = structlog.wrap_logger(None, [self._keep], structlog.make_filtering_bound_logger(10))
        self.around = Surroundings(
            self.tracing, Backoff(1, 1), lambda: 0.5, lambda: 103.5, lambda: NOW, cast("Any", log)
        )

    def work(self, *, fate: Fate = "succeeded", event: CheckoutCompleted | None = EVENT, **more: Any) -> Work:
        record = Record("orders", 0, 7, None, b"{}", (), int(NOW.timestamp() * 1000) - 10_000)
        work = Work(record, Stop(), read_at=100.0, fate=fate, **more)
        work.span = self.tracing.process(Source("orders", 0, 7, (), 2))
        if event is not None:
            work.decoded = event
        return work

    def settled(self, work: Work) -> dict[str, Any]:
        telling.settled(work, self.around)
        work.span.end()
        [line] = self.lines
        return line

    @property
    def span(self) -> Any:
        return self._exporter.get_finished_spans()[-1]

    def _keep(self, _: object, level: str, fields: MutableMapping[str, Any]) -> NoReturn:
        self.lines.append({"level": level, **fields})
        raise structlog.DropEvent


def test_an_event_with_one_call_has_it_in_its_line() -> None:
    told = Told()
    line = told.settled(told.work(settled=[DONE]))
    assert line["event"] == "event.settled"
    assert {
        "level": "info",
        "topic": "orders",
        "offset": 7,
        "fate": "succeeded",
        "event_type": "CheckoutCompleted",
        "event_id": "event-1",
        "cart_id": "ada",
        "order_id": "order-1",
        "operation": "confirm",
        "status": "succeeded",
        "idempotency_key": "key-1",
        "attempts": 2,
        "http_status": 200,
        "seconds": 3.5,
        "age_seconds": 10.0,
    }.items() <= line.items()
    assert len(line["trace_id"]) == 32


def test_several_calls_and_several_dead_letters_are_listed() -> None:
    told = Told()
    deaths = [Death("rejected", "Rokt answered 422"), Death("nothing-to-cancel", "no item")]
    line = told.settled(told.work(fate="dead-lettered", settled=[DONE, replace(DONE, key="key-2")], deaths=deaths))
    assert [call["idempotency_key"] for call in line["calls"]] == ["key-1", "key-2"]
    assert [letter["reason"] for letter in line["dead_letters"]] == ["rejected", "nothing-to-cancel"]


@pytest.mark.parametrize(
    ("fate", "deaths", "level"),
    [
        ("succeeded", [], "info"),
        ("superseded", [], "info"),
        ("skipped", [], "info"),
        ("settled before", [], "debug"),
        ("dead-lettered", [Death("rejected", "no")], "warning"),
        ("dead-lettered", [Death("undecodable", "no")], "warning"),
        ("dead-lettered", [Death("unknown-outcome", "who knows")], "error"),
        ("dead-lettered", [Death("rejected", "no"), Death("exhausted", "no")], "error"),
    ],
)
def test_the_level_is_by_the_outcome(fate: Fate, deaths: list[Death], level: str) -> None:
    told = Told()
    assert told.settled(told.work(fate=fate, deaths=deaths))["level"] == level


def test_a_dead_letter_makes_the_span_an_error_and_anything_else_does_not() -> None:
    for deaths, status in (([Death("rejected", "no")], StatusCode.ERROR), ([], StatusCode.UNSET)):
        told = Told()
        told.settled(told.work(deaths=deaths))
        assert told.span.status.status_code is status
        assert told.span.attributes.get("error.type") == (deaths[0].reason if deaths else None)


def test_what_was_skipped_or_superseded_says_why_on_its_span() -> None:
    told = Told()
    line = told.settled(told.work(fate="skipped", event=None, why="a tombstone"))
    assert (line["why"], told.span.attributes["rokt.why"]) == ("a tombstone", "a tombstone")
    assert told.span.attributes["rokt.fate"] == "skipped"


def test_a_settled_event_is_measured_and_remembered() -> None:
    told = Told()
    told.settled(told.work(settled=[DONE]))
    meters = told.around.meters
    assert _sums(meters.age) == {("orders", "succeeded"): 10.0}
    assert _sums(meters.process) == {("orders", ""): 3.5}
    [recent] = told.around.recent
    assert (recent.said, recent.cart_id, recent.attempts) == ("succeeded", "ada", 2)


def test_of_several_calls_the_status_is_of_one_that_was_not_taken_whichever_came_last() -> None:
    refused, done = replace(DONE, status="rejected"), replace(DONE, key="key-2")
    for settled, status in (([refused, done], "rejected"), ([done, refused], "rejected"), ([done, done], "succeeded")):
        told = Told()
        told.settled(told.work(settled=settled))
        assert told.span.attributes["rokt.status"] == status


def test_a_record_without_a_timestamp_has_no_age() -> None:
    told = Told()
    work = told.work()
    work.record = replace(work.record, timestamp_ms=None)
    assert "age_seconds" not in told.settled(work)
    assert told.around.meters.age.read() == []


@pytest.mark.parametrize(
    ("answer", "attempt", "told"),
    [
        (Accepted(200, ()), "200", ("200", "")),
        (Refused(422, "no"), "422", ("422", "422")),
        (Throttled(429, "later", 1.0), "429", ("429", "429")),
        (Failed("server-error", "Rokt answered 503", True, 503), "503", ("503", "503")),
        (Failed("no-answer", "no answer in 10 s", True, error="TimeoutError"), "no-answer", ("", "TimeoutError")),
        (Failed("not-connected", "refused", False, error="ConnectError"), "not-connected", ("", "ConnectError")),
    ],
)
def test_an_attempt_is_counted_by_its_answer(answer: Answer, attempt: str, told: tuple[str, str]) -> None:
    around = Told().around
    telling.attempted(around, "confirm", "/v1/Cart/confirm", answer, 0.25)
    assert _counts(around.meters.attempts) == [Count(("confirm", attempt), 1)]
    assert _sums(around.meters.request) == {("/v1/Cart/confirm", *told): 0.25}


def test_what_was_waited_for_is_an_event_of_the_span_and_measured_for_calls() -> None:
    told = Told()
    work = told.work()
    telling.waited(work, told.around, "circuit", 2.5, operation="confirm")
    telling.waited(work, told.around, "backoff", 0.0001, operation="confirm", detail="Rokt answered 503")
    telling.waited(work, told.around, "confirm", 30.0)
    telling.waited(work, told.around, "lane", 0.0001)
    work.span.end()
    assert [dict(event.attributes) for event in told.span.events] == [
        {"rokt.wait.cause": "circuit", "rokt.wait.seconds": 2.5},
        {"rokt.wait.cause": "backoff", "rokt.wait.seconds": 0.0001, "rokt.wait.detail": "Rokt answered 503"},
        {"rokt.wait.cause": "confirm", "rokt.wait.seconds": 30.0},
    ]
    assert {event.name for event in told.span.events} == {"rokt.waited"}
    assert _sums(told.around.meters.waited) == {("confirm", "circuit"): 2.5, ("confirm", "backoff"): 0.0001}


def _counts(counter: Counter) -> list[Count]:
    return list(counter.read())


def _sums(timer: Timer) -> dict[tuple[str, ...], float]:
    return {spread.labels: spread.sum for spread in timer.read()}
