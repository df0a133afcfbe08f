"""Traces by their ids, and spans of which nothing is kept: they only carry a trace on."""

from __future__ import annotations

from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState


class Trace:
    """What the spans of one trace have in common, with its part of a `traceparent` (Trace Context, section 3.2)."""

    __slots__ = ("_flags_text", "_id_text", "flags", "id", "state")

    def __init__(self, number: int, flags: TraceFlags, state: TraceState | None) -> None:
        self.id = number
        self.flags = flags
        self.state = state
        self._id_text = f"00-{number:032x}-"
        self._flags_text = f"-{flags:02x}"

    @property
    def hex(self) -> str:
        """Its id as 32 hex digits."""
        return self._id_text[3:-1]

    def traceparent(self, span_id: int) -> str:
        """The header that names a span of it."""
        return f"{self._id_text}{span_id:016x}{self._flags_text}"

    def context(self, span_id: int) -> SpanContext:
        """A span of it."""
        return SpanContext(self.id, span_id, False, self.flags, self.state)


class Unrecorded(NonRecordingSpan):
    """A span that has an id, which travels as ever, and costs nothing more; its context is made when it is asked for.

    None below it is recorded: no sampler of the SDK decides otherwise within a trace.
    """

    def __init__(self, trace: Trace, number: int, ids: IdGenerator) -> None:
        self.trace = trace
        self.number = number
        self._ids = ids

    def __repr__(self) -> str:
        return f"Unrecorded({self.trace.traceparent(self.number)})"

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self.trace.context(self.number)

    def child(self, *_: object) -> Unrecorded:
        """A span below this one."""
        return Unrecorded(self.trace, self._ids.generate_span_id(), self._ids)
