"""Spans are written as the SDK writes them: a collector cannot tell who did."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from worker.telemetry.otlp import OF_FEW_VALUES, encoded

TEXT = st.text(max_size=200)
INT64 = st.integers(-(2**63), 2**63 - 1)
NANOSECONDS = st.integers(0, 2**63)
PLAIN = TEXT | INT64 | st.booleans() | st.floats(allow_nan=False)
LISTS = st.lists(TEXT, max_size=3).map(tuple) | st.lists(INT64, max_size=3).map(tuple)
KEYS = st.text(min_size=1, max_size=20) | st.sampled_from(sorted(OF_FEW_VALUES))
ATTRIBUTES = st.dictionaries(KEYS, PLAIN | LISTS, max_size=5)
STATES = st.sampled_from([TraceState(), TraceState([("vendor", "one"), ("other", "two")])])
CONTEXTS = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.booleans(),
    st.just(TraceFlags(1)),
    STATES,
)
STATUSES = st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR), Status(StatusCode.ERROR, "why")])
RESOURCES = [Resource({"service.name": "a", "number": 7}, "https://example.org/schema"), Resource({})]
SCOPES = [InstrumentationScope("rokt-worker", "1.0", "https://example.org/1"), InstrumentationScope("other"), None]


@st.composite
def spans(draw: st.DrawFn) -> ReadableSpan:
    events = st.builds(Event, TEXT, ATTRIBUTES, NANOSECONDS)
    return ReadableSpan(
        draw(TEXT),
        context=draw(CONTEXTS),
        parent=draw(st.none() | CONTEXTS),
        resource=draw(st.sampled_from(RESOURCES)),
        attributes=draw(ATTRIBUTES),
        events=draw(st.lists(events, max_size=2)),
        links=draw(st.lists(st.builds(Link, CONTEXTS, ATTRIBUTES), max_size=2)),
        kind=draw(st.sampled_from(SpanKind)),
        status=draw(STATUSES),
        start_time=draw(NANOSECONDS),
        end_time=draw(NANOSECONDS),
        instrumentation_scope=draw(st.sampled_from(SCOPES)),
    )


def grouped(request: ExportTraceServiceRequest) -> Mapping[Any, Sequence[bytes]]:
    """The spans by resource and scope, which may be told in several pieces."""
    found: dict[Any, list[bytes]] = {}
    for of_resource in request.resource_spans:
        for of_scope in of_resource.scope_spans:
            about = (
                of_resource.resource.SerializeToString(deterministic=True),
                of_resource.schema_url,
                of_scope.scope.SerializeToString(deterministic=True),
                of_scope.schema_url,
            )
            found.setdefault(about, []).extend(span.SerializeToString(deterministic=True) for span in of_scope.spans)
    return found


@given(st.lists(spans(), max_size=4))
def test_what_is_written_is_what_the_sdk_would_write(some: list[ReadableSpan]) -> None:
    ours = ExportTraceServiceRequest.FromString(encoded(some))
    assert grouped(ours) == grouped(ExportTraceServiceRequest.FromString(encode_spans(some).SerializeToString()))


@pytest.mark.parametrize("value", [b"bytes", {"a": "map"}, None])
def test_an_attribute_of_another_kind_is_left_to_the_sdk(value: Any) -> None:
    context = SpanContext(1, 1, is_remote=False)
    with pytest.raises(TypeError):
        encoded([ReadableSpan("a", context=context, attributes={"key": value}, start_time=1, end_time=2)])
