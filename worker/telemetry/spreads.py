"""Histograms that are kept outside of the SDK, put beside what the SDK gives one of its readers.

OpenTelemetry, "Metrics SDK", "MetricProducer": measurements that were aggregated elsewhere; "Metrics Data Model",
"Temporality": since the start (cumulative), or since the last time (delta).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import sub

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
)

from worker.telemetry.instruments import Instrument
from worker.telemetry.meters import Labels, Spread

Attributes = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen at a moment, in nanoseconds since 1970."""

    at_ns: int
    spreads: Mapping[Instrument, Sequence[Spread]]


class Spreads:
    """For one reader. `began_ns` is when the counting began; `delta`: it wants what came since it last read."""

    def __init__(
        self,
        seen: Callable[[], Seen],
        attributes: Callable[[Instrument, Labels], Attributes],
        began_ns: int,
        *,
        delta: bool,
    ) -> None:
        self._seen = seen
        self._attributes = attributes
        self._since_ns = began_ns
        self._delta = delta
        self._before: dict[tuple[Instrument, Labels], Spread] = {}

    def beside(self, data: MetricsData) -> MetricsData:
        """The same, and the histograms with it."""
        resource, *resources = data.resource_metrics
        scope, *scopes = resource.scope_metrics
        whole = replace(scope, metrics=[*scope.metrics, *self._metrics()])
        return replace(data, resource_metrics=[replace(resource, scope_metrics=[whole, *scopes]), *resources])

    def _metrics(self) -> list[Metric]:
        seen, since_ns = self._seen(), self._since_ns
        metrics = [
            Metric(
                one.name,
                one.what,
                one.unit,
                Histogram([self._point(one, spread, since_ns, seen.at_ns) for spread in spreads], self._temporality),
            )
            for one, spreads in seen.spreads.items()
            if spreads
        ]
        if self._delta:
            self._since_ns = seen.at_ns
            self._before = {(one, spread.labels): spread for one, all_ in seen.spreads.items() for spread in all_}
        return metrics

    @property
    def _temporality(self) -> AggregationTemporality:
        return AggregationTemporality.DELTA if self._delta else AggregationTemporality.CUMULATIVE

    def _point(self, one: Instrument, spread: Spread, since_ns: int, at_ns: int) -> HistogramDataPoint:
        before = self._before.get((one, spread.labels))
        counts = spread.counts if before is None else tuple(map(sub, spread.counts, before.counts))
        return HistogramDataPoint(
            attributes=self._attributes(one, spread.labels),
            start_time_unix_nano=since_ns,
            time_unix_nano=at_ns,
            count=sum(counts),
            sum=spread.sum if before is None else spread.sum - before.sum,
            bucket_counts=counts,
            explicit_bounds=one.bounds,
            min=None,  # type: ignore[arg-type] # what is not known is left out
            max=None,  # type: ignore[arg-type]
        )
