"""The worker's spans, received as any collector would: OTLP over HTTP, in protobuf."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import uvicorn
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PROTOBUF: Final = "application/x-protobuf"
Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Span:
    """One span; times in nanoseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: int
    end: int
    failed: bool
    attributes: dict[str, Value] = field(default_factory=dict)

    @property
    def milliseconds(self) -> float:
        return (self.end - self.start) / 1e6


class Collector:
    """Receives spans on a free port of the loopback interface, in a thread."""

    def __init__(self) -> None:
        self.spans: Final[list[Span]] = []
        app = Starlette(routes=[Route("/v1/traces", self._take, methods=["POST"])])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url: Final = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(
            app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="collector", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(2.0)

    async def _take(self, request: Request) -> Response:
        try:
            self.spans.extend(read_spans(await request.body()))
        except DecodeError:
            return Response(status_code=400)
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type=PROTOBUF)


def read_spans(body: bytes) -> list[Span]:
    """The spans of one export. Raises DecodeError."""
    export = ExportTraceServiceRequest.FromString(body)
    return [_span(span) for resource in export.resource_spans for scope in resource.scope_spans for span in scope.spans]


def of_trace(spans: Iterable[Span], trace_id: str) -> list[Span]:
    """The spans of a trace, in the order in which they began."""
    return sorted((span for span in spans if span.trace_id == trace_id), key=lambda span: span.start)


def _span(span: ProtoSpan) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes={pair.key: _value(pair.value) for pair in span.attributes},
    )


def _value(value: AnyValue) -> Value:
    held = getattr(value, value.WhichOneof("value") or "string_value")
    return held if isinstance(held, str | int | float | bool) else str(held)
