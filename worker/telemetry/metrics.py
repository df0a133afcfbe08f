"""What is measured, as the SDK's readers take it: scraped by Prometheus, pushed by OTLP, or both.

`look` reads the meters and the worker's state on the event loop; what readers ask for, on their own threads, is what
was seen there last. Gauges and counters are observable instruments of the SDK; histograms that are kept elsewhere are
put beside them (worker/telemetry/spreads.py).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, MetricsData, PeriodicExportingMetricReader
from prometheus_client import CollectorRegistry, generate_latest
from structlog.typing import FilteringBoundLogger

from worker.telemetry import instruments, names
from worker.telemetry.export import Outlets
from worker.telemetry.instruments import Instrument
from worker.telemetry.meters import Labels, Meters
from worker.telemetry.spreads import Attributes, Seen, Spreads

Read = Mapping[Instrument, Sequence[tuple[Labels, float]]]
Constants = Mapping[Instrument, Attributes]

SCOPE: Final = "rokt-worker"
LOOK_SECONDS: Final = 1.0
STATM: Final = Path("/proc/self/statm")


class Metrics:
    """Everything that is measured, and who reads it.

    `gauges` are read along with the meters, on the event loop. `constants` are attributes that all values of an
    instrument have, beside those that it has by itself.
    """

    def __init__(
        self,
        meters: Meters,
        gauges: Callable[[], Read],
        outlets: Outlets,
        *,
        constants: Constants,
        scraped: bool,
    ) -> None:
        """`scraped`: `text` is going to be asked for."""
        self._meters = meters
        self._gauges = gauges
        self._constants = constants
        self._sent = outlets.sent
        self._values: Read = {}
        self._seen = Seen(time.time_ns(), {})
        self._registry = CollectorRegistry()
        self._scraping = asyncio.Lock()
        self._is_pushed = bool(outlets.metric_exporters)
        spreads = partial(self._spreads, delta=outlets.delta)
        readers: list[MetricReader] = [_Pushed(exporter, spreads()) for exporter in outlets.metric_exporters]
        if scraped:
            readers.append(_Scraped(self._registry, self._spreads(delta=False)))
        self._provider = MeterProvider(readers, resource=outlets.resource, shutdown_on_exit=False)
        self._make(self._provider.get_meter(SCOPE))

    async def watch(self, log: FilteringBoundLogger) -> None:
        """Looks, for who is pushed to, until it is cancelled."""
        while self._is_pushed:
            try:
                self.look()
            except Exception:  # a defect here is none of the events'
                log.exception(names.LOG_UNMEASURED, mend="a defect of ours: what is pushed stands still")
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Takes note of how all stands. On the event loop."""
        counters, timers = self._meters.counters, self._meters.timers
        counted = {c.instrument: [(count.labels, count.value) for count in c.read()] for c in counters}
        self._values = {**counted, **self._gauges()}
        self._seen = Seen(time.time_ns(), {timer.instrument: timer.read() for timer in timers})

    async def text(self) -> bytes:
        """All of it, as Prometheus reads it. On the event loop, which goes on while it is written down."""
        async with self._scraping:
            self.look()
            return await asyncio.to_thread(generate_latest, self._registry)

    def close(self, seconds: float) -> None:
        """Sends the last of it, within about so many seconds, if it is taken. Blocks."""
        with suppress(Exception):  # the SDK raises one of no kind when a collector is away
            self._provider.shutdown(timeout_millis=seconds * 1000)

    def _make(self, meter: Meter) -> None:
        for one in vars(instruments).values():
            if isinstance(one, Instrument) and one.kind != "histogram":
                make = meter.create_observable_counter if one.kind == "counter" else meter.create_observable_gauge
                make(one.name, [self._observing(one)], one.unit, one.what)

    def _observing(self, one: Instrument) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observed(_: CallbackOptions) -> Iterable[Observation]:
            values = self._values.get(one)
            if values is None:
                values = {instruments.SPANS: self._sent.read(), **_of_process()}.get(one, ())
            return [Observation(value, self._attributes(one, labels)) for labels, value in values]

        return observed

    def _attributes(self, one: Instrument, labels: Labels) -> Attributes:
        pairs = zip(one.labels, labels, strict=True)
        told = {name: _typed(name, value) for name, value in pairs if value}
        return {**one.constant, **self._constants.get(one, {}), **told}

    def _spreads(self, *, delta: bool) -> Spreads:
        return Spreads(lambda: self._seen, self._attributes, time.time_ns(), delta=delta)


class _Scraped(PrometheusMetricReader):
    def __init__(self, registry: CollectorRegistry, spreads: Spreads) -> None:
        super().__init__(scope_info_enabled=False, registry=registry)
        self._spreads = spreads

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(self._spreads.beside(metrics_data), timeout_millis, **kwargs)


class _Pushed(PeriodicExportingMetricReader):
    def __init__(self, exporter: MetricExporter, spreads: Spreads) -> None:
        self._spreads = spreads  # first: what follows starts its thread
        super().__init__(exporter)

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(self._spreads.beside(metrics_data), timeout_millis, **kwargs)


def _typed(name: str, value: str) -> str | int:
    """A status is a whole number by the conventions; there are others only where there are too many."""
    return int(value) if name == names.HTTP_STATUS and value.isdigit() else value


def _of_process() -> Read:
    """What this process takes; its memory only where /proc tells."""
    times = os.times()
    read: dict[Instrument, Sequence[tuple[Labels, float]]] = {
        instruments.CPU: [(("user",), times.user), (("system",), times.system)]
    }
    with suppress(OSError, ValueError, IndexError):
        pages = int(STATM.read_text().split()[1])
        read[instruments.MEMORY] = [((), pages * os.sysconf("SC_PAGE_SIZE"))]
    return read
