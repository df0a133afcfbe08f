"""Spans, made by hand: `process <topic>`, `POST <path>` for every attempt, `send <topic>`.

Names and attributes follow OpenTelemetry's semantic conventions for messaging and HTTP clients; trace context travels
in W3C `traceparent` and `tracestate` (Trace Context, section 3). A malformed one is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from worker.record import Headers
from worker.telemetry import names

Attribute = str | int | bool

_FIELDS = ("traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record was read, for its span."""

    topic: str
    partition: int
    offset: int
    headers: Headers
    size: int | None


class Tracing:
    """Opens the worker's spans. `producer_context` says what the record's own trace context is to the process span."""

    def __init__(self, tracer: Tracer, *, group: str, link_producer: bool) -> None:
        self._tracer = tracer
        self._group = group
        self._link_producer = link_producer
        self._propagator = TraceContextTextMapPropagator()

    def process(self, source: Source) -> Span:
        """The CONSUMER span around all that is done for one record; whoever asked for it has it `ended`."""
        producer = self._extract(source.headers)
        remote = get_current_span(producer).get_span_context()
        attributes: dict[str, Attribute] = {
            names.MESSAGING_SYSTEM: "kafka",
            names.MESSAGING_OPERATION_NAME: "process",
            names.MESSAGING_OPERATION_TYPE: "process",
            names.MESSAGING_DESTINATION: source.topic,
            names.MESSAGING_GROUP: self._group,
            names.MESSAGING_PARTITION: str(source.partition),
            names.MESSAGING_OFFSET: source.offset,
        }
        if source.size is None:
            attributes[names.MESSAGING_TOMBSTONE] = True
        else:
            attributes[names.MESSAGING_BODY_SIZE] = source.size
        return self._tracer.start_span(
            f"process {source.topic}",
            context=Context() if self._link_producer else producer,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=[Link(remote)] if self._link_producer and remote.is_valid else None,
        )

    @contextmanager
    def attempt(self, parent: Span, url: str, resend_count: int, attributes: Mapping[str, Attribute]) -> Iterator[Span]:
        """The CLIENT span of one attempt at a POST."""
        parts = urlsplit(url)
        span = self._tracer.start_span(
            f"POST {parts.path}",
            context=set_span_in_context(parent),
            kind=SpanKind.CLIENT,
            attributes={
                names.HTTP_METHOD: "POST",
                names.HTTP_RESEND_COUNT: resend_count,
                names.URL_FULL: url,
                names.URL_TEMPLATE: parts.path,
                names.SERVER_ADDRESS: parts.hostname or "",
                names.SERVER_PORT: parts.port or (443 if parts.scheme == "https" else 80),
                **attributes,
            },
        )
        with ended(span):
            yield span

    @contextmanager
    def send(self, parent: Span, topic: str) -> Iterator[Span]:
        """The PRODUCER span of one record written."""
        span = self._tracer.start_span(
            f"send {topic}",
            context=set_span_in_context(parent),
            kind=SpanKind.PRODUCER,
            attributes={
                names.MESSAGING_SYSTEM: "kafka",
                names.MESSAGING_OPERATION_NAME: "send",
                names.MESSAGING_OPERATION_TYPE: "send",
                names.MESSAGING_DESTINATION: topic,
            },
        )
        with ended(span):
            yield span

    def http_headers(self, span: Span) -> dict[str, str]:
        """The trace context of a span as HTTP headers."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, context=set_span_in_context(span))
        return carrier

    def kafka_headers(self, span: Span) -> Headers:
        """The trace context of a span as headers of a Kafka record."""
        return tuple((name, value.encode()) for name, value in self.http_headers(span).items())

    def _extract(self, headers: Headers) -> Context:
        carrier = {name: text for name in _FIELDS if (text := _last(headers, name)) is not None}
        return self._propagator.extract(carrier, context=Context()) if carrier else Context()


def trace_id(span: Span) -> str | None:
    """A span's trace as 32 hex digits; None where there is none."""
    context: SpanContext = span.get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def failed(span: Span, error_type: str) -> None:
    """Marks a span as an error."""
    span.set_attribute(names.ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR))


@contextmanager
def ended(span: Span) -> Iterator[Span]:
    """Ends a span, and marks it where an exception passes through; the exception's text is not recorded."""
    try:
        yield span
    except BaseException as error:
        failed(span, type(error).__name__)
        raise
    finally:
        span.end()


def _last(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    found = None
    for key, value in headers:
        if key == name and value is not None:
            found = value.decode("latin-1")
    return found
