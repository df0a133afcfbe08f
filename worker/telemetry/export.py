"""Where spans go: set by the standard `OTEL_*` variables, nowhere when none is set.

OpenTelemetry, "SDK environment variables" and "OTLP exporter": endpoint, protocol, headers, sampler, resource, limits.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from worker.errors import SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def tracer_provider(environ: Mapping[str, str]) -> TracerProvider:
    """A provider with the exporter that the environment asks for. Raises SettingsError."""
    resource = Resource.create() if "OTEL_SERVICE_NAME" in environ else Resource.create({SERVICE_NAME: "rokt-worker"})
    try:
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for exporter in _exporters(environ):
            provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as error:
        raise SettingsError([f"OTEL_*: {error}"]) from None
    return provider


def _exporters(environ: Mapping[str, str]) -> list[SpanExporter]:
    asked = [name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",") if name.strip()]
    if not asked and any(environ.get(name) for name in ENDPOINTS):
        asked = ["otlp"]
    if wrong := [name for name in asked if name not in ("otlp", "console", "none")]:
        raise SettingsError([f"OTEL_TRACES_EXPORTER: given {wrong[0]!r}; allowed: otlp, console, none"])
    if "none" in asked:
        return []
    return [ConsoleSpanExporter() if name == "console" else _otlp(environ) for name in asked]


def _otlp(environ: Mapping[str, str]) -> SpanExporter:
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol == "grpc":
        return GrpcExporter()
    if protocol == "http/protobuf":
        return HttpExporter()
    raise SettingsError([f"OTEL_EXPORTER_OTLP_PROTOCOL: given {protocol!r}; allowed: http/protobuf, grpc"])
