"""Where spans go: the standard variables, and nowhere without them."""

import threading
from collections.abc import Sequence
from importlib.metadata import version

import pytest
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from worker.errors import SettingsError
from worker.telemetry.export import (
    Provider,
    Sent,
    _Batches,
    _Counted,
    exporters_asked,
    metric_exporters,
    resource,
    tracer_provider,
)
from worker.telemetry.tracing import Source, Tracing, ended, trace_id

GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
TRACE = "11111111111111111111111111111111"


def traceparents(provider: TracerProvider, producer: str | None, *, link: bool = False) -> list[list[str]]:
    """What a record, two attempts at its call and its outcome have as trace context, each in its four parts."""
    headers = ((("traceparent", producer.encode()),)) if producer else ()
    tracing = Tracing(provider.get_tracer("test"), group="g", link_producer=link)
    found = []
    with ended(tracing.process(Source("orders", 0, 0, headers, 1))) as record:
        spans = [
            ended(record),
            tracing.attempt(record, "http://h/x", 0, {}),
            tracing.attempt(record, "http://h/x", 1, {}),
            tracing.send(record, "outcomes"),
        ]
        for span in spans:
            with span as one:
                found.append(tracing.http_headers(one)["traceparent"].split("-"))
                assert found[-1][1] == trace_id(one)
    provider.shutdown()
    return found


def test_without_any_otel_variable_spans_go_nowhere_and_are_not_recorded() -> None:
    provider = tracer_provider({})
    assert provider.resource.attributes[SERVICE_NAME] == "rokt-worker"
    tracing = Tracing(provider.get_tracer("test"), group="g", link_producer=False)
    with ended(tracing.process(Source("orders", 0, 0, (), 1))) as record:
        assert not record.is_recording()
    provider.shutdown()


@pytest.mark.parametrize("sampler", ["parentbased_always_on", "parentbased_always_off", "always_on", "always_off"])
@pytest.mark.parametrize("flags", ["00", "01", "03", None])
@pytest.mark.parametrize("link", [False, True])
def test_spans_that_go_nowhere_carry_the_trace_and_the_flags_that_recorded_ones_would(
    monkeypatch: pytest.MonkeyPatch, sampler: str, flags: str | None, link: bool
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    producer = f"00-{TRACE}-2222222222222222-{flags}" if flags else None
    carried = traceparents(tracer_provider({}), producer, link=link)
    recorded = traceparents(TracerProvider(shutdown_on_exit=False), producer, link=link)
    ours = traceparents(Provider(Resource({}), {}, records=True), producer, link=link)
    assert [flags for _, _, _, flags in ours] == [flags for _, _, _, flags in carried]
    begins = producer is None or link
    assert len({trace for _, trace, _, _ in carried}) == 1
    assert (carried[0][1] == TRACE) != begins
    assert len({span for _, _, span, _ in carried}) == 4
    unlike = {int(one[3], 16) ^ int(other[3], 16) for one, other in zip(carried, recorded, strict=True)}
    assert unlike == {0} or (begins and unlike == {2})  # SDKs differ on the flag of a trace id drawn at random


def test_a_trace_state_goes_on_through_spans_that_go_nowhere() -> None:
    provider = tracer_provider({})
    tracing = Tracing(provider.get_tracer("test"), group="g", link_producer=False)
    headers = (("traceparent", f"00-{TRACE}-2222222222222222-01".encode()), ("tracestate", b"a=1,b=2"))
    with (
        ended(tracing.process(Source("orders", 0, 0, headers, 1))) as record,
        tracing.send(record, "outcomes") as sending,
    ):
        assert dict(tracing.kafka_headers(sending))["tracestate"] == b"a=1,b=2"
    provider.shutdown()


def test_an_sdk_that_is_switched_off_still_has_each_call_carry_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    environ = {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"}
    assert len({span for _, _, span, _ in traceparents(tracer_provider(environ), None)}) == 4


def test_the_standard_service_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    provider = tracer_provider({"OTEL_SERVICE_NAME": "mine"})
    assert provider.resource.attributes[SERVICE_NAME] == "mine"
    provider.shutdown()


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke-signals"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json5"},
        {"OTEL_TRACES_EXPORTER": "otlp", **GRPC, "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
        {"OTEL_TRACES_EXPORTER": "otlp", **GRPC, "OTEL_EXPORTER_OTLP_COMPRESSION": "tight"},
    ],
)
def test_a_wrong_otel_variable_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    *_, wrong = environ
    with pytest.raises(SettingsError, match=wrong):
        tracer_provider(environ)


def test_none_means_nowhere_even_with_an_endpoint() -> None:
    provider = tracer_provider({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"})
    provider.shutdown()


def test_metrics_go_where_traces_go_unless_they_are_told_otherwise() -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"}
    assert exporters_asked({}, "METRICS") == []
    assert exporters_asked(endpoint, "METRICS") == ["otlp"]
    assert exporters_asked({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://localhost:1"}, "METRICS") == ["otlp"]
    assert exporters_asked({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://localhost:1"}, "TRACES") == []
    assert exporters_asked(endpoint | {"OTEL_METRICS_EXPORTER": "none"}, "METRICS") == []
    assert exporters_asked(endpoint | {"OTEL_SDK_DISABLED": "true"}, "METRICS") == []


def test_prometheus_needs_no_exporter() -> None:
    assert metric_exporters({"OTEL_METRICS_EXPORTER": "prometheus"}) == []


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_METRICS_EXPORTER": "statsd"},
        {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"},
        {"OTEL_METRICS_EXPORTER": "otlp", **GRPC, "OTEL_EXPORTER_OTLP_COMPRESSION": "tight"},
        {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "0"},
        {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "inf"},
        {"OTEL_METRICS_EXEMPLAR_FILTER": "some"},
    ],
)
def test_a_wrong_variable_of_metrics_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    *_, wrong = environ
    with pytest.raises(SettingsError, match=wrong):
        metric_exporters(environ)


def test_who_we_are_is_assumed_where_the_environment_does_not_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = resource().attributes, resource().attributes
    assert (one["service.name"], one["service.version"]) == ("rokt-worker", version("rokt-worker"))
    assert one["service.instance.id"] != other["service.instance.id"]
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=orders,service.instance.id=pod-1,team=checkout")
    said = resource().attributes
    assert (said["service.name"], said["service.instance.id"], said["team"]) == ("orders", "pod-1", "checkout")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    assert resource().attributes["service.name"] == "mine"


class Collector(SpanExporter):
    def __init__(self, *answers: SpanExportResult) -> None:
        self._answers = iter(answers)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return next(self._answers)

    def shutdown(self) -> None: ...


def test_spans_are_counted_as_taken_or_lost() -> None:
    sent = Sent()
    counted = _Counted(Collector(SpanExportResult.SUCCESS, SpanExportResult.FAILURE), sent)
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("one") as span:
        assert isinstance(span, ReadableSpan)
        counted.export([span, span])
        counted.export([span])
    assert dict(sent.read()) == {("taken",): 2, ("lost",): 1}


class Hanging(SpanExporter):
    """A collector that takes what it is sent and answers when it is told to."""

    def __init__(self) -> None:
        self.began, self.answer = threading.Event(), threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.began.set()
        self.answer.wait()
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


def test_spans_for_which_the_queue_has_no_room_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    sent, hanging = Sent(), Hanging()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_Batches(hanging, sent))
    tracer = provider.get_tracer("test")
    tracer.start_span("the one that it hangs at").end()
    assert hanging.began.wait(30)
    for _ in range(10):
        tracer.start_span("one").end()
    assert dict(sent.read()) == {("taken",): 0, ("lost",): 6}
    hanging.answer.set()
    provider.shutdown()
    assert dict(sent.read()) == {("taken",): 5, ("lost",): 6}


class Broken(Collector):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        raise OSError("no such certificate")


def test_spans_at_which_an_exporter_breaks_are_lost() -> None:
    sent = Sent()
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("one") as span:
        assert isinstance(span, ReadableSpan)
        with pytest.raises(OSError, match="certificate"):
            _Counted(Broken(), sent).export([span])
    assert dict(sent.read()) == {("taken",): 0, ("lost",): 1}
