"""Spans, made by hand: `process <topic>`, `POST <path>` for every attempt, `send <topic>`.

Names and attributes follow OpenTelemetry's semantic conventions for messaging and HTTP clients; trace context travels
in W3C `traceparent` and `tracestate` (Trace Context, section 3). A malformed one is ignored. Below a span that is not
recorded none is: those have ids of their own, which travel as ever, and cost nothing more. W3C `baggage` goes on into
what is written to Kafka, as it came, and never to Rokt: what the shop's services tell one another is not for others.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from types import TracebackType
from urllib.parse import urlsplit

from msgspec import Struct
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
from worker.telemetry.names import Cause
from worker.telemetry.recording import ours
from worker.telemetry.unrecorded import Trace

Attribute = str | int | bool

_FIELDS = ("traceparent", "tracestate")
_BAGGAGE = "baggage"
_BAGGAGE_BYTES = 8192  # W3C Baggage, section 3.3.2
_SHOWN_SECONDS = 0.001


class Source(Struct, frozen=True):
    """Where a record was read, for its span, and for how long it has been in hand.

    `failing` is the trace context of an attempt that failed at it before, `redrives` how often it was redriven; `about`
    tells of what is in it.
    """

    topic: str
    partition: int
    offset: int
    headers: Headers
    size: int | None
    failing: Headers = ()
    about: Mapping[str, Attribute] = {}
    seconds: float = 0.0
    redrives: int = 0


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
        linked = [get_current_span(producer).get_span_context()] if self._link_producer else []
        if source.failing:
            linked.append(get_current_span(self._extract(source.failing)).get_span_context())
        attributes: dict[str, Attribute] = {
            names.MESSAGING_SYSTEM: "kafka",
            names.MESSAGING_OPERATION_NAME: "process",
            names.MESSAGING_OPERATION_TYPE: "process",
            names.MESSAGING_DESTINATION: source.topic,
            names.MESSAGING_GROUP: self._group,
            names.MESSAGING_PARTITION: str(source.partition),
            names.MESSAGING_OFFSET: source.offset,
            **source.about,
        }
        if source.size is None:
            attributes[names.MESSAGING_TOMBSTONE] = True
        else:
            attributes[names.MESSAGING_BODY_SIZE] = source.size
        if source.redrives:
            attributes[names.ROKT_REDRIVES] = source.redrives
        return self._tracer.start_span(
            f"process {source.topic}",
            context=Context() if self._link_producer else producer,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=[Link(context) for context in linked if context.is_valid],
            start_time=time.time_ns() - int(source.seconds * 1e9),
        )

    def serve(self, method: str, route: str, headers: Headers) -> AbstractContextManager[Span]:
        """The SERVER span of one request; whose trace it belongs to is in its headers."""
        return ended(
            self._tracer.start_span(
                f"{method} {route}",
                context=self._extract(headers),
                kind=SpanKind.SERVER,
                attributes={names.HTTP_METHOD: method, names.HTTP_ROUTE: route, names.URL_PATH: route},
            )
        )

    def attempt(
        self, parent: Span, url: str, resend_count: int, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[Span]:
        """The CLIENT span of one attempt at a POST."""
        name, server = _server(url)
        marks = {**server, names.HTTP_RESEND_COUNT: resend_count, **attributes}
        return ended(self._below(parent, name, SpanKind.CLIENT, marks))

    def send(self, parent: Span, topic: str, about: Span | None = None) -> AbstractContextManager[Span]:
        """The PRODUCER span of one record written; linked to the span that it is `about`, if that is another."""
        marks: dict[str, Attribute] = {
            names.MESSAGING_SYSTEM: "kafka",
            names.MESSAGING_OPERATION_NAME: "send",
            names.MESSAGING_OPERATION_TYPE: "send",
            names.MESSAGING_DESTINATION: topic,
        }
        links = () if about is None or about is parent else (Link(about.get_span_context()),)
        return ended(self._below(parent, f"send {topic}", SpanKind.PRODUCER, marks, links))

    def http_headers(self, span: Span) -> dict[str, str]:
        """The trace context of a span as HTTP headers."""
        if (named := _named(span)) is None:
            return {}
        trace, number = named
        parent = trace.traceparent(number)
        if trace.state:
            return {"traceparent": parent, "tracestate": trace.state.to_header()}
        return {"traceparent": parent}

    def kafka_headers(self, span: Span) -> Headers:
        """The trace context of a span as headers of a Kafka record."""
        return tuple((name, value.encode()) for name, value in self.http_headers(span).items())

    def carried(self, span: Span, headers: Headers) -> Headers:
        """What a record that comes of another one carries on: the trace context of a span, and the other's baggage."""
        baggage = next((value for name, value in reversed(headers) if name == _BAGGAGE), None)
        context = self.kafka_headers(span)
        return (*context, (_BAGGAGE, baggage)) if baggage and len(baggage) <= _BAGGAGE_BYTES else context

    def _below(
        self, parent: Span, name: str, kind: SpanKind, attributes: dict[str, Attribute], links: Sequence[Link] = ()
    ) -> Span:
        """A span below another, which may be anybody's."""
        if (known := ours(parent)) is not None:
            return known.child(name, kind, attributes, links)
        context = set_span_in_context(parent)
        return self._tracer.start_span(name, context=context, kind=kind, attributes=attributes, links=links)

    def _extract(self, headers: Headers) -> Context:
        carrier = {name: text for name in _FIELDS if (text := _last(headers, name)) is not None}
        return self._propagator.extract(carrier, context=Context()) if carrier else Context()


def trace_id(span: Span) -> str | None:
    """A span's trace as 32 hex digits; None where there is none."""
    named = _named(span)
    return None if named is None else named[0].hex


def span_id(span: Span) -> str | None:
    """A span's own id as 16 hex digits; None where there is none."""
    named = _named(span)
    return None if named is None else f"{named[1]:016x}"


def linked(span: Span, other_trace: str | None, other_span: str | None) -> None:
    """Links a span to what an earlier one did about the same; ids in hex digits, None where they are not known."""
    if other_trace is None or other_span is None or not span.is_recording() or other_span == span_id(span):
        return
    span.add_link(SpanContext(int(other_trace, 16), int(other_span, 16), is_remote=True))


def waited(span: Span, cause: Cause, seconds: float, detail: str = "") -> None:
    """Notes on a span what was waited for, now that it is over; next to nothing is none, but between attempts."""
    if (seconds >= _SHOWN_SECONDS or cause == "backoff") and span.is_recording():
        told: dict[str, Attribute | float] = {names.WAIT_CAUSE: cause, names.WAIT_SECONDS: round(seconds, 6)}
        span.add_event(names.SPAN_WAITED, {**told, names.WAIT_DETAIL: detail} if detail else told)


def written(span: Span, partition: int, offset: int) -> None:
    """Notes on a span of a record where that stands, once it was acknowledged."""
    if span.is_recording():
        span.set_attributes({names.MESSAGING_PARTITION: str(partition), names.MESSAGING_OFFSET: offset})


def failed(span: Span, error_type: str) -> None:
    """Marks a span as an error."""
    span.set_attribute(names.ERROR_TYPE, error_type)
    span.set_status(Status(StatusCode.ERROR))


def ended(span: Span) -> AbstractContextManager[Span]:
    """Ends a span, and marks it where an exception passes through; the exception's text is not recorded."""
    return _Ended(span)


class _Ended:
    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        return self._span

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None:
            failed(self._span, kind.__name__)
        self._span.end()


@lru_cache(maxsize=16)
def _server(url: str) -> tuple[str, dict[str, Attribute]]:
    """The name of a POST there, and what is the same of each."""
    parts = urlsplit(url)
    return f"POST {parts.path}", {
        names.HTTP_METHOD: "POST",
        names.URL_FULL: url,
        names.URL_TEMPLATE: parts.path,
        names.SERVER_ADDRESS: parts.hostname or "",
        names.SERVER_PORT: parts.port or (443 if parts.scheme == "https" else 80),
    }


def _named(span: Span) -> tuple[Trace, int] | None:
    """Whoever's span: its trace, and its number there; None where it has none."""
    if (known := ours(span)) is not None:
        return known.trace, known.number
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return Trace(context.trace_id, context.trace_flags, context.trace_state), context.span_id


def _last(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    found = None
    for key, value in headers:
        if key == name and value is not None:
            found = value.decode("latin-1")
    return found
