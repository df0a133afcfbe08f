"""Spans as we record them are those that the SDK would have recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, set_span_in_context

from worker.telemetry.export import Provider
from worker.telemetry.recording import KEPT, Recording

ABOUT = Resource({"service.name": "worker"})
REMOTE = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1))
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.text(max_size=5) | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=3)
LINKS = st.builds(SpanContext, st.integers(0, 2), st.integers(0, 2), st.booleans())
STATUSES = st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR), Status(StatusCode.ERROR, "why")])
DOINGS = st.one_of(
    st.tuples(st.just("set_attribute"), st.tuples(NAMES, VALUES)),
    st.tuples(st.just("set_attributes"), st.tuples(ATTRIBUTES)),
    st.tuples(st.just("add_event"), st.tuples(NAMES, ATTRIBUTES, st.integers(0, 2**60))),
    st.tuples(st.just("add_link"), st.tuples(LINKS, ATTRIBUTES)),
    st.tuples(st.just("update_name"), st.tuples(NAMES)),
    st.tuples(st.just("set_status"), st.tuples(STATUSES)),
    st.tuples(st.just("end"), st.tuples(st.integers(0, 2**60))),
)


class InTurn(RandomIdGenerator):
    """Ids that are the same in every run."""

    def __init__(self) -> None:
        self._last = 0

    def generate_span_id(self) -> int:
        self._last += 1
        return self._last

    def generate_trace_id(self) -> int:
        return 0xC3

    def is_trace_id_random(self) -> bool:
        return True


@dataclass(frozen=True)
class Kept:
    provider: TracerProvider
    exporter: InMemorySpanExporter

    def begin(self, above: SpanContext | None = None) -> Span:
        context = None if above is None else set_span_in_context(_Above(above))
        tracer = self.provider.get_tracer("test", "1", "https://example.org/schema", {"a": "scope's"})
        links = [Link(REMOTE, {"why": "because"})]
        return tracer.start_span("one", context, SpanKind.CONSUMER, {"first": 1}, links=links, start_time=5)

    def told(self) -> list[dict[str, Any]]:
        return [as_told(span) for span in self.exporter.get_finished_spans()]


class _Above(Recording):
    """A span of which only the context is known."""

    def __init__(self, context: SpanContext) -> None:
        self._context = context


def kept(provider: TracerProvider) -> Kept:
    exporter = InMemorySpanExporter()
    provider.id_generator = InTurn()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Kept(provider, exporter)


def by_the_sdk() -> Kept:
    return kept(TracerProvider(resource=ABOUT, shutdown_on_exit=False))


def by_us() -> Kept:
    return kept(Provider(ABOUT, {}, records=True))


def as_told(span: ReadableSpan) -> dict[str, Any]:
    dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    context, scope = span.get_span_context(), span.instrumentation_scope
    flags = None if context is None else (int(context.trace_flags), context.is_remote)
    told: dict[str, Any] = json.loads(span.to_json())
    return told | {"dropped": dropped, "flags": flags, "scope": scope and scope.to_json()}


def both(do: Callable[[Span], None], above: SpanContext | None = None) -> list[dict[str, Any]]:
    """What is told of a span, the same whoever recorded it."""
    told = []
    for one in (by_the_sdk(), by_us()):
        span = one.begin(above)
        do(span)
        span.end(9)
        told.append(one.told())
    assert told[0] == told[1]
    return told[1]


@pytest.mark.filterwarnings("ignore")
@given(st.lists(DOINGS, max_size=12), st.sampled_from([None, REMOTE]))
def test_whatever_is_done_to_a_span_it_tells_what_the_sdks_would(
    doings: list[tuple[str, tuple[Any, ...]]], above: SpanContext | None
) -> None:
    def do(span: Span) -> None:
        for name, arguments in doings:
            getattr(span, name)(*arguments)

    assert len(both(do, above)) == 1


def test_of_many_events_and_links_the_last_are_kept_and_the_others_counted() -> None:
    def do(span: Span) -> None:
        for n in range(KEPT + 7):
            span.add_event(f"event {n}", {"n": n}, n)
            span.add_link(SpanContext(1, n + 1, is_remote=False))

    (told,) = both(do)
    assert told["events"][0]["name"] == "event 7"
    assert told["dropped"] == (0, 7, 8)


def test_a_span_is_recording_until_its_end_and_ends_once() -> None:
    us = by_us()
    span = us.begin()
    assert span.is_recording()
    span.end()
    span.end()
    assert not span.is_recording()
    assert len(us.told()) == 1


def test_a_span_below_a_recorded_one_is_of_its_trace_and_names_it() -> None:
    us = by_us()
    above = us.begin()
    assert isinstance(above, Recording)
    below = above.child("two", SpanKind.CLIENT, {"a": 1})
    below.end()
    above.end()
    told, _ = us.told()
    assert told["context"]["trace_id"] == f"0x{0xC3:032x}"
    assert told["parent_id"] == f"0x{above.get_span_context().span_id:016x}"
    assert told["flags"] == (3, False)


def test_of_an_exception_only_its_kind_is_kept() -> None:
    us = by_us()
    span = us.begin()
    span.record_exception(ValueError("ada@example.org"))
    span.end()
    (told,) = us.told()
    assert told["events"][0]["attributes"] == {"exception.type": "ValueError"}


@pytest.mark.parametrize(
    "sampler", ["always_off", "parentbased_always_off", "traceidratio", "parentbased_traceidratio"]
)
def test_what_the_sampler_leaves_out_is_not_recorded(monkeypatch: pytest.MonkeyPatch, sampler: str) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    us = by_us()
    span = us.begin()
    span.end()
    assert not span.is_recording()
    assert us.told() == []


@pytest.mark.parametrize(
    "asked",
    [
        {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3"},
        {"OTEL_ATTRIBUTE_COUNT_LIMIT": "2"},
        {"OTEL_TRACES_SAMPLER": "of_another_vendor"},
        {"OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true"},
    ],
)
def test_who_asks_for_more_than_our_spans_do_has_the_sdks(asked: dict[str, str]) -> None:
    with_more = Provider(ABOUT, asked, records=True)
    span = with_more.get_tracer("test").start_span("one")
    assert span.is_recording()
    assert not isinstance(span, Recording)


def test_a_limit_that_is_asked_for_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
    limited = kept(Provider(ABOUT, {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3"}, records=True))
    span = limited.begin()
    span.set_attribute("name", "too long")
    span.end()
    assert limited.told()[0]["attributes"]["name"] == "too"


def test_several_exporters_have_every_span() -> None:
    provider = Provider(ABOUT, {}, records=True)
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    for exporter in exporters:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.get_tracer("test").start_span("one").end()
    assert [len(exporter.get_finished_spans()) for exporter in exporters] == [1, 1]
