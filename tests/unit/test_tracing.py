"""The worker's spans: names, kinds, parents, attributes; and what is never in them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
)

from worker.telemetry.export import Provider
from worker.telemetry.tracing import Source, Tracing, ended, failed, linked, span_id, trace_id

TRACE, SPAN = "11111111111111111111111111111111", "2222222222222222"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
URL = "https://api.rokt.com/v1/Cart/confirm"

Headers = tuple[tuple[str, bytes | None], ...]


class Traced:
    def __init__(self, *, link: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = Provider(Resource({}), {}, records=True)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(self.provider.get_tracer("test"), group="rokt-worker", link_producer=link)

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}

    def process(self, headers: Headers, size: int | None = 5) -> ReadableSpan:
        with ended(self.tracing.process(Source("orders", 3, 42, headers, size))):
            pass
        return self.spans()["process orders"]


@contextmanager
def traced(*, link: bool = False) -> Iterator[Traced]:
    made = Traced(link=link)
    yield made
    made.provider.shutdown()


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> tuple[str, str] | None:
    return None if span.parent is None else (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}")


def test_a_record_has_a_consumer_span_with_the_conventions_attributes() -> None:
    with traced() as made:
        span = made.process(())
    assert span.kind is SpanKind.CONSUMER
    assert attributes(span) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "orders",
        "messaging.consumer.group.name": "rokt-worker",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 42,
        "messaging.message.body.size": 5,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_a_tombstone_is_marked_as_one() -> None:
    with traced() as made:
        span = made.process((), None)
    assert attributes(span)["messaging.kafka.message.tombstone"] is True
    assert "messaging.message.body.size" not in attributes(span)


def test_the_producers_context_is_the_parent() -> None:
    with traced() as made:
        span = made.process((("traceparent", PARENT), ("tracestate", b"vendor=1")))
    assert parent_of(span) == (TRACE, SPAN)
    assert not span.links
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.context.trace_state.get("vendor") == "1"


def test_a_setting_makes_the_producers_context_a_link() -> None:
    with traced(link=True) as made:
        span = made.process((("traceparent", PARENT),))
    assert parent_of(span) is None
    (link,) = span.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SPAN)
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" != TRACE


def test_without_a_context_a_trace_begins_and_there_is_nothing_to_link_to() -> None:
    for link in (False, True):
        with traced(link=link) as made:
            span = made.process((("other", b"x"),))
        assert parent_of(span) is None
        assert not span.links


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"garbage",
        b"00-" + b"0" * 32 + b"-2222222222222222-01",
        b"00-11111111111111111111111111111111-0000000000000000-01",
        b"ff-11111111111111111111111111111111-2222222222222222-01",
        b"00-1111-2222-01",
        b"00-" + b"G" * 32 + b"-2222222222222222-01",
        b"00-11111111111111111111111111111111-2222222222222222",
        b"00-11111111111111111111111111111111-2222222222222222-01-more",
        b"\xff\xfe\x00",
        "00-\u2603".encode(),
        b"x" * 1_000_000,
        None,
    ],
)
def test_a_malformed_trace_context_is_ignored(link: bool, value: bytes | None) -> None:
    with traced(link=link) as made:
        span = made.process((("traceparent", value), ("tracestate", b"a=1")))
    assert parent_of(span) is None
    assert not span.links


@pytest.mark.parametrize("state", [b"", b"garbage", b"\xff\xff", b"=,=,=", b"a=1," * 1000, None])
def test_a_malformed_tracestate_does_not_cost_the_parent(state: bytes | None) -> None:
    with traced() as made:
        span = made.process((("traceparent", PARENT), ("tracestate", state)))
    assert parent_of(span) == (TRACE, SPAN)


def test_where_a_context_stands_twice_the_last_one_counts() -> None:
    first = b"00-33333333333333333333333333333333-4444444444444444-01"
    with traced() as made:
        span = made.process((("traceparent", first), ("traceparent", PARENT), ("traceparent", None)))
    assert parent_of(span) == (TRACE, SPAN)


def test_each_attempt_is_a_client_span_of_its_own_below_the_records_with_its_count() -> None:
    with traced() as made:
        with ended(made.tracing.process(Source("orders", 0, 0, (), 1))) as record:
            for count in range(2):
                with made.tracing.attempt(record, URL, count, {"rokt.operation": "confirm"}) as attempt:
                    headers = made.tracing.http_headers(attempt)
        spans = [span for span in made._exporter.get_finished_spans() if span.kind is SpanKind.CLIENT]
        process = made.spans()["process orders"]
    assert [span.name for span in spans] == ["POST /v1/Cart/confirm"] * 2
    assert [attributes(span)["http.request.resend_count"] for span in spans] == [0, 1]
    assert process.context is not None
    assert {parent_of(span) for span in spans} == {
        (f"{process.context.trace_id:032x}", f"{process.context.span_id:016x}")
    }
    assert attributes(spans[0]) | {"http.request.resend_count": 0} == {
        "http.request.method": "POST",
        "http.request.resend_count": 0,
        "url.full": URL,
        "url.template": "/v1/Cart/confirm",
        "server.address": "api.rokt.com",
        "server.port": 443,
        "rokt.operation": "confirm",
    }
    assert spans[1].context is not None
    assert headers["traceparent"].startswith(f"00-{spans[1].context.trace_id:032x}-{spans[1].context.span_id:016x}-")


@pytest.mark.parametrize(
    ("url", "address", "port"),
    [
        ("http://localhost/x", "localhost", 80),
        ("http://127.0.0.1:8080/x", "127.0.0.1", 8080),
        ("https://h/x", "h", 443),
    ],
)
def test_the_servers_address_and_port_are_told(url: str, address: str, port: int) -> None:
    with traced() as made:
        with (
            ended(made.tracing.process(Source("orders", 0, 0, (), 1))) as record,
            made.tracing.attempt(record, url, 0, {}),
        ):
            pass
        span = made.spans()["POST /x"]
    assert (attributes(span)["server.address"], attributes(span)["server.port"]) == (address, port)


def test_a_record_written_has_a_producer_span_below_the_records() -> None:
    with traced() as made:
        with (
            ended(made.tracing.process(Source("orders", 0, 0, (), 1))) as record,
            made.tracing.send(record, "rokt-outcomes") as sending,
        ):
            headers = made.tracing.kafka_headers(sending)
        span = made.spans()["send rokt-outcomes"]
        process = made.spans()["process orders"]
    assert span.kind is SpanKind.PRODUCER
    assert attributes(span) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "rokt-outcomes",
    }
    assert process.context is not None
    assert span.context is not None
    assert parent_of(span) == (f"{process.context.trace_id:032x}", f"{process.context.span_id:016x}")
    traceparent = dict(headers)["traceparent"]
    assert traceparent is not None
    assert traceparent.decode().startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")


def test_what_an_exception_says_is_in_no_span_but_its_kind_is() -> None:
    with traced() as made:
        with (
            pytest.raises(ZeroDivisionError),
            ended(made.tracing.process(Source("orders", 0, 0, (), 1))),
        ):
            raise ZeroDivisionError("canary-7f3a")
        span = made.spans()["process orders"]
    assert span.status.status_code is StatusCode.ERROR
    assert attributes(span)["error.type"] == "ZeroDivisionError"
    assert "canary" not in span.to_json()


def test_a_failed_span_is_an_error_with_its_type() -> None:
    with traced() as made:
        with ended(made.tracing.process(Source("orders", 0, 0, (), 1))) as span:
            failed(span, "503")
        found = made.spans()["process orders"]
    assert found.status.status_code is StatusCode.ERROR
    assert attributes(found)["error.type"] == "503"


def test_the_trace_of_a_span_is_32_hex_digits() -> None:
    with traced() as made, ended(made.tracing.process(Source("orders", 0, 0, (("traceparent", PARENT),), 1))) as span:
        assert trace_id(span) == TRACE


def unsampled(kind: type[TracerProvider]) -> TracerProvider:
    """The SDK's, or ours; none of its spans is recorded."""
    provider = Provider(Resource({}), {}, records=True) if kind is Provider else kind(shutdown_on_exit=False)
    provider.sampler = ALWAYS_OFF
    return provider


@pytest.mark.parametrize("kind", [TracerProvider, Provider])
def test_a_trace_that_nobody_samples_still_travels(kind: type[TracerProvider]) -> None:
    provider = unsampled(kind)
    tracing = Tracing(provider.get_tracer("test"), group="g", link_producer=False)
    with ended(tracing.process(Source("orders", 0, 0, (("traceparent", PARENT),), 1))) as span:
        assert trace_id(span) == TRACE
        assert tracing.http_headers(span)["traceparent"] == f"00-{TRACE}-{span_id(span)}-00"
        assert span_id(span) == f"{span.get_span_context().span_id:016x}" != SPAN
    provider.shutdown()


@pytest.mark.parametrize("kind", [TracerProvider, Provider])
def test_below_a_span_that_is_not_recorded_none_is_but_each_has_an_id_of_its_own(kind: type[TracerProvider]) -> None:
    provider = unsampled(kind)
    tracing = Tracing(provider.get_tracer("test"), group="g", link_producer=False)
    headers = (("traceparent", PARENT), ("tracestate", b"vendor=1"))
    with (
        ended(tracing.process(Source("orders", 0, 0, headers, 1))) as record,
        tracing.attempt(record, URL, 0, {}) as attempt,
        tracing.send(record, "rokt-outcomes") as sending,
    ):
        spans = (record, attempt, sending)
        assert not any(span.is_recording() for span in spans)
        told = [tracing.http_headers(span) for span in spans]
    assert {one["tracestate"] for one in told} == {"vendor=1"}
    assert {(one["traceparent"].split("-")[1], one["traceparent"].split("-")[3]) for one in told} == {(TRACE, "00")}
    assert len({one["traceparent"].split("-")[2] for one in told} | {SPAN}) == 4
    provider.shutdown()


def test_a_trace_context_is_written_as_w3c_has_it_and_only_where_there_is_one() -> None:
    with traced() as made:
        assert made.tracing.http_headers(INVALID_SPAN) == {}
        assert made.tracing.kafka_headers(INVALID_SPAN) == ()
        state = TraceState([("vendor", "1"), ("other", "2")])
        span = NonRecordingSpan(SpanContext(0xABC, 0xDEF, False, TraceFlags(1), state))
        assert made.tracing.http_headers(span) == {
            "traceparent": f"00-{'abc':0>32}-{'def':0>16}-01",
            "tracestate": "vendor=1,other=2",
        }


def test_no_header_of_a_record_is_in_its_span_except_the_trace() -> None:
    with traced() as made:
        span = made.process((("authorization", b"canary-7f3a"), ("email", b"canary-7f3a")))
    assert "canary" not in span.to_json()


def test_a_span_begins_when_its_record_was_taken_in_hand() -> None:
    with traced() as made:
        with ended(made.tracing.process(Source("orders", 3, 42, (), 5, seconds=2.0))):
            pass
        span = made.spans()["process orders"]
    assert span.end_time is not None
    assert span.start_time is not None
    assert 2.0 <= (span.end_time - span.start_time) / 1e9 < 60.0


def test_a_redriven_record_says_how_often() -> None:
    with traced() as made:
        with ended(made.tracing.process(Source("orders", 3, 42, (), 5, redrives=2))):
            pass
        assert attributes(made.spans()["process orders"])["rokt.redrives"] == 2


def test_a_dead_letter_is_linked_to_the_attempt_that_failed_and_to_nothing_where_there_was_none() -> None:
    with traced() as made:
        with ended(made.tracing.process(Source("orders", 3, 42, (), 5))) as process:
            with made.tracing.attempt(process, URL, 0, {}) as attempt:
                pass
            for about in (attempt, process, None):
                with made.tracing.send(process, f"dlq of {about is attempt}", about=about):
                    pass
        spans = made.spans()
    (link,) = spans["send dlq of True"].links
    assert link.context.span_id == attempt.get_span_context().span_id
    assert not spans["send dlq of False"].links


def test_a_span_is_linked_to_the_one_that_began_the_same_before_if_that_is_known_and_another() -> None:
    with traced() as made:
        with ended(made.tracing.process(Source("orders", 3, 42, (), 5))) as process:
            linked(process, TRACE, SPAN)
            linked(process, None, SPAN)
            linked(process, TRACE, None)
            linked(process, trace_id(process), span_id(process))
        (link,) = made.spans()["process orders"].links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SPAN)


@pytest.mark.parametrize(
    ("baggage", "carried"),
    [(b"tenant=a,user=b", True), (b"\xff\x00 not baggage", True), (b"", False), (None, False), (b"x" * 8193, False)],
)
def test_baggage_goes_on_as_it_came_into_what_is_written_and_never_to_rokt(
    baggage: bytes | None, carried: bool
) -> None:
    headers = (("baggage", b"older=1"), ("baggage", baggage), ("authorization", b"secret"))
    with traced() as made, ended(made.tracing.process(Source("orders", 3, 42, headers, 5))) as process:
        written = made.tracing.carried(process, headers)
        called = made.tracing.http_headers(process)
    assert [value for name, value in written if name == "baggage"] == ([baggage] if carried else [])
    assert {name for name, _ in written} <= {"traceparent", "tracestate", "baggage"}
    assert set(called) == {"traceparent"}
