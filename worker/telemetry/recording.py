"""Spans that are recorded, at a quarter of what the SDK's cost: plain values, for the one thread that all is done on.

The SDK's spans are for any thread and any value: they lock and look at everything that they are given, and ask the
sampler for each. Ours are what the specification asks (OpenTelemetry, "Tracing API" and "Tracing SDK") of a worker that
writes its spans by hand. Sampler, ids, resource, processors and exporters are the SDK's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from typing import Any, Final, cast

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NoOpTracer,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
)

from worker.telemetry.unrecorded import Trace, Unrecorded

KEPT: Final = 128
"""Events and links of a span, the last ones ("SDK environment variables", limits: what is assumed)."""
RANDOM: Final = 0x02  # Trace Context level 2, section 3.2.2.5.2: the trace's id was drawn at random
UNSET: Final = Status(StatusCode.UNSET)

Attributes = Mapping[str, Any]


class Origin:
    """What all spans of a tracer have in common; `end` takes each that is over."""

    __slots__ = ("end", "ids", "resource", "scope")

    def __init__(
        self, ids: IdGenerator, resource: Resource, scope: InstrumentationScope, end: Callable[[ReadableSpan], None]
    ) -> None:
        self.ids = ids
        self.resource = resource
        self.scope = scope
        self.end = end


class Recording(Span):
    """A span that is recorded. Of one thread; what is said to it after its end is not heard."""

    __slots__ = (
        "_attributes",
        "_context",
        "_ended",
        "_events",
        "_kind",
        "_links",
        "_name",
        "_origin",
        "_parent",
        "_start",
        "_status",
        "number",
        "trace",
    )

    def __init__(
        self,
        origin: Origin,
        name: str,
        trace: Trace,
        number: int,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: dict[str, Any],
        links: Sequence[Link],
        start: int,
    ) -> None:
        self._origin = origin
        self._name = name
        self.trace = trace
        self.number = number
        self._context = trace.context(number)
        self._parent = parent
        self._kind = kind
        self._attributes = attributes
        self._links = links
        self._events: Sequence[Event] = ()
        self._status = UNSET
        self._start = start
        self._ended = False

    def child(self, name: str, kind: SpanKind, attributes: dict[str, Any], links: Sequence[Link] = ()) -> Recording:
        """A span below this one, recorded as well: no sampler of the SDK decides otherwise within a trace."""
        origin = self._origin
        number = origin.ids.generate_span_id()
        return Recording(origin, name, self.trace, number, self._context, kind, attributes, links, time_ns())

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._context

    def is_recording(self) -> bool:
        """Until its end."""
        return not self._ended

    def set_attribute(self, key: str, value: Any) -> None:
        """A text, a number or a truth."""
        if not self._ended:
            self._attributes[key] = value

    def set_attributes(self, attributes: Attributes) -> None:
        """Several at once."""
        if not self._ended:
            self._attributes.update(attributes)

    def add_event(self, name: str, attributes: Attributes | None = None, timestamp: int | None = None) -> None:
        """Something that happened now, or at a time in nanoseconds since 1970."""
        if not self._ended:
            self._events = _more(self._events, Event(name, attributes, timestamp))

    def add_link(self, context: SpanContext, attributes: Attributes | None = None) -> None:
        """Another span that this one has to do with."""
        if not self._ended and (context.is_valid or attributes or context.trace_state):
            self._links = _more(self._links, Link(context, attributes or {}))

    def update_name(self, name: str) -> None:
        """Another name."""
        if not self._ended:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """The last one counts, but OK is final, and nothing is unset."""
        given = status if isinstance(status, Status) else Status(status, description)
        if not self._ended and self._status.status_code is not StatusCode.OK and not given.is_unset:
            self._status = given

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes | None = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002 - part of the interface
    ) -> None:
        """Its kind only: its text may hold what belongs to nobody's trace."""
        self.add_event("exception", {"exception.type": type(exception).__name__, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """It is over, now or at a time in nanoseconds since 1970, and goes to whoever exports it."""
        if self._ended:
            return
        self._ended = True
        origin = self._origin
        origin.end(
            ReadableSpan(
                self._name,
                self._context,
                self._parent,
                origin.resource,
                self._attributes,
                self._events,
                self._links,
                self._kind,
                status=self._status,
                start_time=self._start,
                end_time=time_ns() if end_time is None else end_time,
                instrumentation_scope=origin.scope,
            )
        )


class RecordingTracer(NoOpTracer):
    """Begins traces, and goes on with others', as the sampler decides; without an `origin` nothing is recorded.

    What is not recorded has the ids and the flags that it would have.
    """

    def __init__(self, sampler: Sampler, ids: IdGenerator, origin: Origin | None) -> None:
        self._sampler = sampler
        self._ids = ids
        self._origin = origin

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        *_: bool,
        **__: bool,
    ) -> Span:
        """See `Tracer.start_span`."""
        above = get_current_span(context).get_span_context()
        trace_id = above.trace_id if above.is_valid else self._ids.generate_trace_id()
        random = above.trace_flags & RANDOM if above.is_valid else RANDOM
        decided = self._sampler.should_sample(context, trace_id, name, kind, attributes, links)
        sampled = TraceFlags.SAMPLED if decided.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        number = self._ids.generate_span_id()
        trace = Trace(trace_id, TraceFlags(sampled | random), decided.trace_state)
        if self._origin is None or not sampled:
            return Unrecorded(trace, number, self._ids)
        parent = above if above.is_valid else None
        start = time_ns() if start_time is None else start_time
        return Recording(self._origin, name, trace, number, parent, kind, dict(attributes or {}), links or (), start)


def ours(span: Span) -> Recording | Unrecorded | None:
    """A span, if it is one of these."""
    kind = type(span)
    return cast("Recording | Unrecorded", span) if kind is Recording or kind is Unrecorded else None


def _more(kept: Sequence[Any], one: object) -> Sequence[Any]:
    """Them and one more; of many the last ones, and how many are gone."""
    if len(kept) < KEPT:
        return [*kept, one]
    if not isinstance(kept, BoundedList):
        kept = BoundedList.from_seq(KEPT, kept)
    kept.append(one)
    return kept
