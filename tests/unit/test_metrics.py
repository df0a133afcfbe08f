"""What readers are given: scraped by Prometheus, pushed as a total or as what came since."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.parser import text_string_to_metric_families

from worker.telemetry import instruments
from worker.telemetry.export import Outlets, Sent
from worker.telemetry.meters import Meters
from worker.telemetry.metrics import Metrics, Read
from worker.telemetry.names import HTTP_STATUS, SERVER_ADDRESS


class Pushed(MetricExporter):
    """An exporter that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:
        self.given.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None: ...

    def last(self) -> dict[str, Any]:
        [resource] = self.given[-1].resource_metrics
        [scope] = resource.scope_metrics
        return {metric.name: metric.data for metric in scope.metrics}


class Measured:
    """Metrics over meters and gauges of a test's own."""

    def __init__(self, *, delta: bool = False, gauges: Read | None = None) -> None:
        self.meters = Meters()
        self.pushed = Pushed()
        self.sent = Sent()
        provider = TracerProvider(shutdown_on_exit=False)
        outlets = Outlets(provider, [self.pushed], delta, Resource({"service.name": "rokt-worker"}), self.sent)
        constants = {instruments.REQUEST: {SERVER_ADDRESS: "api.rokt.com"}}
        self.metrics = Metrics(self.meters, lambda: gauges or {}, outlets, constants=constants, scraped=True)

    def push(self) -> dict[str, Any]:
        self.metrics.look()
        self.metrics._provider.force_flush()
        return self.pushed.last()

    def scrape(self) -> Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]:
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(asyncio.run(self.metrics.text()).decode()):
            for sample in family.samples:
                found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
        return found


@pytest.fixture
def measured() -> Measured:
    return Measured()


def test_prometheus_finds_counters_histograms_and_gauges_by_the_names_that_it_expects() -> None:
    measured = Measured(gauges={instruments.LAG: [(("orders", "3"), 42)]})
    measured.meters.calls.add(("confirm", "succeeded"), 2)
    measured.meters.age.record(("orders", "succeeded"), 0.2)
    found = measured.scrape()
    assert found["rokt_partition_lag"] == {(("partition", "3"), ("topic", "orders")): 42}
    assert found["rokt_calls_settled_total"] == {(("operation", "confirm"), ("status", "succeeded")): 2}
    labels = (("fate", "succeeded"), ("topic", "orders"))
    assert found["rokt_event_settle_duration_seconds_count"] == {labels: 1}
    buckets = {dict(key)["le"]: n for key, n in found["rokt_event_settle_duration_seconds_bucket"].items()}
    assert (buckets["0.1"], buckets["0.25"], buckets["+Inf"]) == (0, 1, 1)
    assert found["process_cpu_time_seconds_total"]


def test_a_label_that_is_empty_is_left_out_and_constants_are_added(measured: Measured) -> None:
    measured.meters.request.record(("/v1/Cart/confirm", "200", ""), 0.03)
    measured.meters.request.record(("/v1/Cart/confirm", "", "ConnectError"), 0.01)
    well, failed = measured.push()["http.client.request.duration"].data_points
    assert well.attributes == {
        "http.request.method": "POST",
        "server.address": "api.rokt.com",
        "url.template": "/v1/Cart/confirm",
        "http.response.status_code": 200,
    }
    assert HTTP_STATUS not in failed.attributes
    assert failed.attributes["error.type"] == "ConnectError"


def test_a_histogram_is_pushed_as_a_total_since_the_start(measured: Measured) -> None:
    for _ in range(2):
        measured.meters.process.record(("orders", ""), 0.2)
        pushed = measured.push()["messaging.process.duration"]
    [point] = pushed.data_points
    assert pushed.aggregation_temporality is AggregationTemporality.CUMULATIVE
    assert (point.count, point.sum, sum(point.bucket_counts)) == (2, pytest.approx(0.4), 2)
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1


def test_a_backend_that_wants_deltas_gets_what_came_since_it_was_told_last() -> None:
    measured = Measured(delta=True)
    counts, began = [], []
    for times in (1, 2, 0):
        for _ in range(times):
            measured.meters.process.record(("orders", ""), 0.2)
        pushed = measured.push()["messaging.process.duration"]
        assert pushed.aggregation_temporality is AggregationTemporality.DELTA
        [point] = pushed.data_points
        counts.append(point.count)
        began.append((point.start_time_unix_nano, point.time_unix_nano))
    assert counts == [1, 2, 0]
    assert [start for start, _ in began[1:]] == [end for _, end in began[:-1]]


def test_nothing_is_given_of_what_was_never_measured(measured: Measured) -> None:
    pushed = measured.push()
    assert "messaging.process.duration" not in pushed
    assert "rokt.replay.passed" not in pushed


def test_spans_that_a_collector_did_not_take_are_counted(measured: Measured) -> None:
    measured.sent.add("lost", 7)
    found = measured.scrape()["rokt_telemetry_spans_total"]
    assert found == {(("result", "taken"),): 0, (("result", "lost"),): 7}


def test_what_is_measured_between_two_looks_is_not_seen_by_half(measured: Measured) -> None:
    """A reader on a thread of its own sees what was looked at last."""
    measured.meters.calls.add(("confirm", "succeeded"))
    measured.metrics.look()
    measured.meters.calls.add(("confirm", "succeeded"))
    measured.metrics._provider.force_flush()
    [point] = measured.pushed.last()["rokt.calls.settled"].data_points
    assert point.value == 1


def test_no_two_instruments_have_one_name() -> None:
    every = [one for one in vars(instruments).values() if isinstance(one, instruments.Instrument)]
    assert len({one.name for one in every}) == len(every)
