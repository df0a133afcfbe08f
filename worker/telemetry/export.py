"""Where spans and metrics go: set by the standard `OTEL_*` variables, nowhere when none is set.

OpenTelemetry, "SDK environment variables" and "OTLP exporter": endpoint, protocol, headers, sampler, resource, limits.
Spans that go nowhere are not recorded, but have the ids and the flags that they would have: a trace goes on through us.
Both are sent from threads of the SDK, which drop what a collector does not take: no event ever waits for one.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import inf
from typing import Final, Literal

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Tracer
from opentelemetry.util.types import Attributes

from worker.errors import SettingsError
from worker.telemetry.meters import Labels
from worker.telemetry.recording import Origin, RecordingTracer

Signal = Literal["TRACES", "METRICS"]

NAME: Final = "rokt-worker"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
KINDS: Final[Mapping[Signal, tuple[str, ...]]] = {
    "TRACES": ("otlp", "console", "none"),
    "METRICS": ("otlp", "console", "prometheus", "none"),
}
SAMPLER: Final = "OTEL_TRACES_SAMPLER"
SAMPLERS: Final = frozenset(
    ["", *(basis + name for basis in ("", "parentbased_") for name in ("always_on", "always_off", "traceidratio"))]
)
INTERNAL_METRICS: Final = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"


class Sent:
    """Spans that a collector took, or did not: counted on the exporting thread, `dropped` ones where they end."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self.dropped = 0

    def add(self, result: str, count: int) -> None:
        """So many more."""
        self._counts[result] += count

    def read(self) -> Sequence[tuple[Labels, float]]:
        """How many by now."""
        return [(("taken",), self._counts["taken"]), (("lost",), self._counts["lost"] + self.dropped)]


def resource() -> Resource:
    """Who we are, as the environment says it, and what it does not say."""
    try:
        ours = version(NAME)
    except PackageNotFoundError:
        ours = "unknown"
    assumed = {"service.name": NAME, "service.version": ours, "service.instance.id": str(uuid.uuid4())}
    return Resource.create({**assumed, **OTELResourceDetector().detect().attributes})


def tracer_provider(
    environ: Mapping[str, str], about: Resource | None = None, sent: Sent | None = None
) -> TracerProvider:
    """A provider with the exporter that the environment asks for. Raises SettingsError."""
    about, asked = about or resource(), exporters_asked(environ, "TRACES")
    with _wrong(environ):
        exporters = [_spans_to(name, environ) for name in asked]
        provider = Provider(about, environ, records=bool(exporters))
        for exporter in exporters:
            provider.add_span_processor(_Batches(exporter, sent or Sent()))
        return provider


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where what a process tells goes. `delta`: histograms are to be sent as what came since the last time."""

    provider: TracerProvider
    metric_exporters: Sequence[MetricExporter]
    delta: bool
    resource: Resource
    sent: Sent

    @property
    def tracer(self) -> Tracer:
        """The worker's."""
        return self.provider.get_tracer(NAME, schema_url=SCHEMA)


def outlets(environ: Mapping[str, str]) -> Outlets:
    """As the environment asks for them. Raises SettingsError."""
    about, sent = resource(), Sent()
    delta = environ.get(TEMPORALITY, "").strip().lower() in ("delta", "lowmemory")
    return Outlets(tracer_provider(environ, about, sent), metric_exporters(environ), delta, about, sent)


def metric_exporters(environ: Mapping[str, str]) -> list[MetricExporter]:
    """Those of metrics that the environment asks for; Prometheus scrapes, and needs none. Raises SettingsError."""
    asked = [name for name in exporters_asked(environ, "METRICS") if name != "prometheus"]
    if asked:
        _check_interval(environ.get(INTERVAL, ""))
    with _wrong(environ):
        MeterProvider(shutdown_on_exit=False)  # reads what it is told before anybody has begun who would have to end
        return [_metrics_to(name, environ) for name in asked]


@contextmanager
def _wrong(environ: Mapping[str, str]) -> Iterator[None]:
    """What the SDK does not take is a wrong setting: that of which the value is quoted, if it says so itself of none.

    Raises SettingsError.
    """
    try:
        yield
    except SettingsError:
        raise
    except Exception as error:  # of several kinds, one for each exporter
        text = str(error)
        quoted = [name for name, value in environ.items() if name.startswith("OTEL_") and value and repr(value) in text]
        raise SettingsError([f"{quoted[0] if quoted else 'OTEL_*'}: {text}"]) from None


def _check_interval(given: str) -> None:
    """What is no number is said and left out by the SDK. Raises SettingsError for one that it cannot wait for."""
    with suppress(ValueError):
        if not 0 < float(given) < inf:
            raise SettingsError([f"{INTERVAL}: given {given!r}; allowed: milliseconds, more than 0"])


class _Batches(BatchSpanProcessor):
    """Also counts what is dropped since nothing is taken, and the queue is full."""

    def __init__(self, to: SpanExporter, sent: Sent) -> None:
        super().__init__(_Counted(to, sent))
        self._sent = sent

    def on_end(self, span: ReadableSpan) -> None:
        batches = self._batch_processor
        if span.context.trace_flags.sampled and len(batches._queue) == batches._max_queue_size:  # noqa: SLF001 - as it does
            self._sent.dropped += 1
        super().on_end(span)


class _Counted(SpanExporter):
    """Counts what becomes of spans."""

    def __init__(self, to: SpanExporter, sent: Sent) -> None:
        self._to = to
        self._sent = sent

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Passes them on."""
        result = SpanExportResult.FAILURE
        try:
            result = self._to.export(spans)
        finally:
            self._sent.add("taken" if result is SpanExportResult.SUCCESS else "lost", len(spans))
        return result

    def shutdown(self) -> None:
        """Ends it."""
        self._to.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Sends what waits."""
        return self._to.force_flush(timeout_millis)


class Provider(TracerProvider):
    """The SDK's, with spans as recorded here (worker/telemetry/recording.py) unless it is asked for more than they do.

    `records`: whether anybody will see them.
    """

    def __init__(self, about: Resource, environ: Mapping[str, str], *, records: bool) -> None:
        self._ends = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
        self._records = records
        self._asks_more = records and _asks_more(environ)
        super().__init__(resource=about, active_span_processor=self._ends, shutdown_on_exit=False)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> Tracer:
        """See `TracerProvider.get_tracer`."""
        named = (instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        if self._asks_more:
            return super().get_tracer(*named)
        origin = Origin(self.id_generator, self.resource, InstrumentationScope(*named), self._ends.on_end)
        return RecordingTracer(self.sampler, self.id_generator, origin if self._records else None)


def _asks_more(environ: Mapping[str, str]) -> bool:
    """Limits on what a span holds, a sampler that is not the SDK's, or figures of what the SDK does."""
    limits = [name for name, value in environ.items() if name.startswith("OTEL_") and name.endswith("_LIMIT") and value]
    sampler = environ.get(SAMPLER, "").strip().lower()
    return bool(limits) or sampler not in SAMPLERS or bool(environ.get(INTERNAL_METRICS))


def exporters_asked(environ: Mapping[str, str], signal: Signal = "TRACES") -> list[str]:
    """The names of the exporters that the environment asks for. Raises SettingsError."""
    name = f"OTEL_{signal}_EXPORTER"
    asked = [one.strip() for one in environ.get(name, "").split(",") if one.strip()]
    if not asked and any(environ.get(one) for one in variables(signal, "ENDPOINT")):
        asked = ["otlp"]
    if wrong := [one for one in asked if one not in KINDS[signal]]:
        raise SettingsError([f"{name}: given {wrong[0]!r}; allowed: {', '.join(KINDS[signal])}"])
    if "none" in asked or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    return asked


def variables(signal: Signal, what: str) -> tuple[str, str]:
    """The variable of this signal, and that of both; what comes first counts."""
    return f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"


def protocol(environ: Mapping[str, str], signal: Signal) -> str:
    """grpc or http/protobuf. Raises SettingsError for another one."""
    own, shared = variables(signal, "PROTOCOL")
    name = own if environ.get(own) else shared
    given = environ.get(name) or "http/protobuf"
    if given not in ("grpc", "http/protobuf"):
        raise SettingsError([f"{name}: given {given!r}; allowed: http/protobuf, grpc"])
    return given


def _spans_to(name: str, environ: Mapping[str, str]) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter()
    if protocol(environ, "TRACES") == "grpc":
        _hush_grpc()
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter()
    from worker.telemetry.otlp import HttpExporter

    return HttpExporter()


def _metrics_to(name: str, environ: Mapping[str, str]) -> MetricExporter:
    if name == "console":
        return ConsoleMetricExporter()
    if protocol(environ, "METRICS") == "grpc":
        _hush_grpc()
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter

        return GrpcExporter()
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter

    return HttpExporter()


def _hush_grpc() -> None:
    """Its core writes to standard error by itself, at each attempt; the log says the same. Before it is imported."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
