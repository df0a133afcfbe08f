"""Spans as OTLP has them, written straight to bytes (opentelemetry-proto 1.x: `trace.proto`, `common.proto`).

The SDK's exporter builds an object for every attribute, 100 µs a span in all, on the interpreter that the events need
too; an event has three spans. This takes a fifth of that. What it does not know it leaves to the SDK.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceState

from worker.telemetry import names
from worker.varint import SHORT, varint

KINDS: Final = {
    SpanKind.INTERNAL: b"\x30\x01",
    SpanKind.SERVER: b"\x30\x02",
    SpanKind.CLIENT: b"\x30\x03",
    SpanKind.PRODUCER: b"\x30\x04",
    SpanKind.CONSUMER: b"\x30\x05",
}
LITTLE: Final = 128 - 4
OF_FEW_VALUES: Final = frozenset(
    [
        names.MESSAGING_SYSTEM,
        names.MESSAGING_OPERATION_NAME,
        names.MESSAGING_OPERATION_TYPE,
        names.MESSAGING_DESTINATION,
        names.MESSAGING_GROUP,
        names.MESSAGING_PARTITION,
        names.HTTP_METHOD,
        names.HTTP_STATUS,
        names.HTTP_RESEND_COUNT,
        names.SERVER_ADDRESS,
        names.SERVER_PORT,
        names.URL_FULL,
        names.URL_TEMPLATE,
        names.EVENT_TYPE,
        names.ROKT_OPERATION,
        names.ROKT_STATUS,
        names.ROKT_FATE,
        names.WAIT_CAUSE,
    ]
)
"""Attributes of which a pair is written once, and copied then."""
LOCAL_PARENT: Final = 0x100
REMOTE_PARENT: Final = 0x300
_TIMES: Final = struct.Struct("<BQBQ").pack
_FIXED64: Final = struct.Struct("<Q").pack
_FIXED32: Final = struct.Struct("<I").pack
_DOUBLE: Final = struct.Struct("<d").pack


class HttpExporter(OTLPSpanExporter):
    """The SDK's, with the SDK's connection, settings and retries, and spans as written here."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter.export`."""
        if self._shutdown:
            return super().export(spans)
        try:
            request = encoded(spans)
        except (TypeError, ValueError):  # an attribute of a kind that none of ours has, or no text after all
            return super().export(spans)
        return SpanExportResult.SUCCESS if self._client.export(request).success else SpanExportResult.FAILURE


def encoded(spans: Iterable[ReadableSpan]) -> bytes:
    """An ExportTraceServiceRequest. Raises TypeError for an attribute of another kind than text, number and truth."""
    resources = [
        _message(b"\x0a", _resource(resource) + b"".join(_scope(scope, some) for scope, some in _by_scope(of_resource)))
        for resource, of_resource in groupby(spans, lambda span: span.resource)
    ]
    return b"".join(resources)


def _by_scope(spans: Iterable[ReadableSpan]) -> Iterable[tuple[InstrumentationScope | None, Iterable[ReadableSpan]]]:
    return groupby(spans, lambda span: span.instrumentation_scope)


def _resource(resource: Resource) -> bytes:
    schema = _text(b"\x1a", resource.schema_url)
    return _message(b"\x0a", _attributes(b"\x0a", resource.attributes)) + schema


def _scope(scope: InstrumentationScope | None, spans: Iterable[ReadableSpan]) -> bytes:
    about, schema = b"", b""
    if scope is not None:
        version = _text(b"\x12", scope.version)
        about = _text(b"\x0a", scope.name) + version + _attributes(b"\x1a", scope.attributes)
        schema = _text(b"\x1a", scope.schema_url)
    written = b"".join([_message(b"\x12", _span(span)) for span in spans])
    return _message(b"\x12", _message(b"\x0a", about) + written + schema)


def _span(span: ReadableSpan) -> bytes:
    context, parent = span.context, span.parent
    assert context is not None
    parts = [
        _ids(context),
        _state(context.trace_state),
        b"" if parent is None else b"\x22\x08" + parent.span_id.to_bytes(8, "big"),
        _text(b"\x2a", span.name),
        KINDS[span.kind],
        _TIMES(0x39, span.start_time or 0, 0x41, span.end_time or 0),
        _attributes(b"\x4a", span.attributes),
        _count(b"\x50", span.dropped_attributes),
        *[_message(b"\x5a", _event(event)) for event in span.events],
        _count(b"\x60", span.dropped_events),
        *[_message(b"\x6a", _link(link)) for link in span.links],
        _count(b"\x70", span.dropped_links),
        b"\x7a\x00" if span.status.is_unset else _message(b"\x7a", _status(span)),
        b"\x85\x01" + _flags(parent),
    ]
    return b"".join(parts)


def _event(event: Event) -> bytes:
    name = _text(b"\x12", event.name)
    dropped = _count(b"\x20", event.dropped_attributes)
    return b"\x09" + _FIXED64(event.timestamp) + name + _attributes(b"\x1a", event.attributes) + dropped


def _link(link: Link) -> bytes:
    dropped = _count(b"\x28", link.dropped_attributes)
    return _ids(link.context) + _attributes(b"\x22", link.attributes) + dropped + b"\x35" + _flags(link.context)


def _status(span: ReadableSpan) -> bytes:
    return _text(b"\x12", span.status.description) + _count(b"\x18", span.status.status_code.value)


def _state(state: TraceState | None) -> bytes:
    return _text(b"\x1a", ",".join([f"{key}={value}" for key, value in state.items()]) if state else "")


def _ids(context: SpanContext) -> bytes:
    return b"\x0a\x10" + context.trace_id.to_bytes(16, "big") + b"\x12\x08" + context.span_id.to_bytes(8, "big")


def _flags(of_parent: SpanContext | None) -> bytes:
    return _FIXED32(REMOTE_PARENT if of_parent is not None and of_parent.is_remote else LOCAL_PARENT)


def _attributes(tag: bytes, attributes: Mapping[str, Any] | None) -> bytes:
    if not attributes:
        return b""
    pairs = [
        _known(tag, name, value) if name in OF_FEW_VALUES else _pair(tag, name, value)
        for name, value in _copied(attributes)
    ]
    return b"".join(pairs)


def _pair(tag: bytes, name: str, value: object) -> bytes:
    """A field with a KeyValue. Raises TypeError."""
    key = _key(name)
    if type(value) is str and len(text := value.encode()) < LITTLE - len(key):  # nearly all: each size is one byte
        size = len(text)
        return b"".join((tag, SHORT[len(key) + size + 4], key, b"\x12", SHORT[size + 2], b"\x0a", SHORT[size], text))
    return _message(tag, key + _message(b"\x12", _value(value)))


_known = lru_cache(maxsize=1_000, typed=True)(_pair)


def _copied(attributes: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """The SDK's mappings look every key up anew, and their copy is a plain dictionary."""
    copied: Mapping[str, Any] = attributes.copy() if hasattr(attributes, "copy") else attributes
    return copied.items()


def _value(value: object) -> bytes:
    """An AnyValue. Raises TypeError."""
    if isinstance(value, str):
        return _message(b"\x0a", value.encode())
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if isinstance(value, float):
        return b"\x21" + _DOUBLE(value)
    if isinstance(value, list | tuple):
        return _message(b"\x2a", b"".join([_message(b"\x0a", _value(one)) for one in value]))
    raise TypeError(type(value).__name__)


@lru_cache(maxsize=1_000)
def _key(name: str) -> bytes:
    return _message(b"\x0a", name.encode())


def _message(tag: bytes, body: bytes) -> bytes:
    """A field with a length."""
    size = len(body)
    return tag + (SHORT[size] if size < 128 else varint(size)) + body


def _text(tag: bytes, text: str | None) -> bytes:
    """A field with a text, which is absent when it is empty."""
    return _message(tag, text.encode()) if text else b""


def _count(tag: bytes, number: int) -> bytes:
    """A field with a number, which is absent when it is 0."""
    return tag + varint(number) if number else b""
