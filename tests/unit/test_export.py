"""Where spans go: the standard variables, and nowhere without them."""

import pytest
from opentelemetry.sdk.resources import SERVICE_NAME

from worker.errors import SettingsError
from worker.telemetry.export import tracer_provider


def test_without_any_otel_variable_spans_are_made_and_sent_nowhere() -> None:
    provider = tracer_provider({})
    assert provider.resource.attributes[SERVICE_NAME] == "rokt-worker"
    provider.shutdown()


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
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json5"},
    ],
)
def test_a_wrong_otel_variable_stops_the_start_with_its_name(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="OTEL_"):
        tracer_provider(environ)


def test_none_means_nowhere_even_with_an_endpoint() -> None:
    provider = tracer_provider({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1"})
    provider.shutdown()
