"""Where spans go: set by the standard `OTEL_*` variables, nowhere when none is set.

OpenTelemetry, "SDK environment variables" and "OTLP exporter": endpoint, protocol, headers, sampler, resource, limits.
Spans that go nowhere are not recorded, but have the ids and the flags that they would have: a trace goes on through us.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanContext,
    TraceFlags,
    Tracer,
    get_current_span,
)

from worker.errors import SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
RANDOM = 0x02  # Trace Context level 2, section 3.2.2.5.2: the trace's id was drawn at random
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def tracer_provider(environ: Mapping[str, str]) -> TracerProvider:
    """A provider with the exporter that the environment asks for. Raises SettingsError."""
    resource = Resource.create() if "OTEL_SERVICE_NAME" in environ else Resource.create({SERVICE_NAME: "rokt-worker"})
    try:
        exporters = _exporters(environ)
        if not exporters:
            return Nowhere(resource=resource, shutdown_on_exit=False)
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in exporters:
            provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as error:
        raise SettingsError([f"OTEL_*: {error}"]) from None
    return provider


class Nowhere(TracerProvider):
    """Spans that nobody will see."""

    def get_tracer(self, *_: object, **__: object) -> Tracer:
        return _Unrecorded(self.sampler, self.id_generator)


class _Unrecorded(NoOpTracer):
    """Spans that carry a trace on and keep nothing. The sampled flag is the sampler's, as if they went somewhere."""

    def __init__(self, sampler: Sampler, ids: IdGenerator) -> None:
        self._sampler = sampler
        self._ids = ids

    def start_span(self, name: str, context: Context | None = None, *_: object, **__: object) -> Span:
        above = get_current_span(context).get_span_context()
        trace_id = above.trace_id if above.is_valid else self._ids.generate_trace_id()
        random = above.trace_flags & RANDOM if above.is_valid else RANDOM
        decided = self._sampler.should_sample(context, trace_id, name)
        sampled = TraceFlags.SAMPLED if decided.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        flags = TraceFlags(sampled | random)
        return NonRecordingSpan(SpanContext(trace_id, self._ids.generate_span_id(), False, flags, decided.trace_state))


def exporters_asked(environ: Mapping[str, str]) -> list[str]:
    """The names of the exporters that the environment asks for: otlp, console. Raises SettingsError."""
    asked = [name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    if not asked and any(environ.get(name) for name in ENDPOINTS):
        asked = ["otlp"]
    if wrong := [name for name in asked if name not in ("otlp", "console", "none")]:
        raise SettingsError([f"OTEL_TRACES_EXPORTER: given {wrong[0]!r}; allowed: otlp, console, none"])
    if "none" in asked or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    return asked


def _exporters(environ: Mapping[str, str]) -> list[SpanExporter]:
    return [ConsoleSpanExporter() if name == "console" else _otlp(environ) for name in exporters_asked(environ)]


def _otlp(environ: Mapping[str, str]) -> SpanExporter:
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter()
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return HttpExporter()
    raise SettingsError([f"OTEL_EXPORTER_OTLP_PROTOCOL: given {protocol!r}; allowed: http/protobuf, grpc"])
