"""What can be counted and gauged, for Prometheus to read: instruments of OpenTelemetry over the worker's state.

Nothing is measured on the way of an event; the state is looked at when somebody reads. No label holds an id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, get_args

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from prometheus_client import CollectorRegistry, generate_latest

from worker.gate.circuit import CircuitName
from worker.keys import Operation
from worker.state import State
from worker.telemetry import names

Gauged = Iterable[Observation]
CIRCUITS: Final[tuple[CircuitName, ...]] = (*get_args(Operation), "credentials", "rejections")


class Metrics:
    """Instruments over a worker's state. Lives where the state may be read: on the event loop."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        self._seen = state()
        self._registry = CollectorRegistry()
        reader = PrometheusMetricReader(scope_info_enabled=False, registry=self._registry)
        resource = Resource.create({SERVICE_NAME: "rokt-worker"})
        self._provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("rokt-worker")
        for name, unit, what, look in GAUGES:
            meter.create_observable_gauge(name, [self._looking(look)], unit, what)
        meter.create_observable_counter(
            names.METRIC_RECORDS_LOST,
            [self._looking(lambda state: [Observation(state.records_lost)])],
            "{record}",
            "Records that the topics' retention deleted before they were read",
        )

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        self._seen = self._state()
        return generate_latest(self._registry)

    def _looking(self, look: Callable[[State], Gauged]) -> Callable[[CallbackOptions], Gauged]:
        return lambda _: look(self._seen)


def _open(state: State) -> Gauged:
    is_open = {circuit.circuit for circuit in state.gate.circuits}
    return [Observation(int(name in is_open), {names.LABEL_CIRCUIT: name}) for name in CIRCUITS]


def _seconds(state: State) -> Gauged:
    seconds = {circuit.circuit: circuit.seconds for circuit in state.gate.circuits}
    return [Observation(seconds.get(name, 0.0), {names.LABEL_CIRCUIT: name}) for name in CIRCUITS]


def _limits(state: State) -> Gauged:
    return [Observation(limit, {names.LABEL_OPERATION: operation}) for operation, limit in state.gate.limits.items()]


def _waiting(state: State) -> Gauged:
    return [Observation(count, {names.LABEL_OPERATION: operation}) for operation, count in state.gate.waiting.items()]


def _if_known(value: float | None) -> Gauged:
    return [] if value is None else [Observation(value)]


GAUGES: Final[tuple[tuple[str, str, str, Callable[[State], Gauged]], ...]] = (
    (names.METRIC_CIRCUIT_OPEN, "", "1 while nothing but one call at a time goes for this reason", _open),
    (names.METRIC_CIRCUIT_SECONDS, "s", "For how long the circuit has been open; 0: it is closed", _seconds),
    (names.METRIC_LIMIT, "{call}", "Calls that may be under way at once, as adapted to Rokt", _limits),
    (names.METRIC_WAITING, "{call}", "Calls that wait for their turn", _waiting),
    (names.METRIC_UNDER_WAY, "{call}", "Calls under way", lambda state: [Observation(state.gate.under_way)]),
    (
        names.METRIC_HELD_BACK,
        "s",
        "For how long no call goes, as Rokt asked by Retry-After",
        lambda state: [Observation(state.gate.held_back_seconds)],
    ),
    (
        names.METRIC_PACE,
        "{call}/s",
        "Calls a second that Rokt was found to take; absent where no bound was found",
        lambda state: _if_known(state.gate.calls_per_second),
    ),
    (
        names.METRIC_RETENTION_LEFT,
        "s",
        "Until the oldest unprocessed record may be deleted by its topic's retention; absent where it is not known",
        lambda state: _if_known(state.retention_left_seconds),
    ),
)
