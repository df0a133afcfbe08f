"""All checks of an installation, from its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from structlog.typing import FilteringBoundLogger

from worker.doctor.asking.kafka import ask_kafka
from worker.doctor.asking.ledger import ask_ledger
from worker.doctor.asking.registry import ask_registry
from worker.doctor.asking.rokt import ask_rokt
from worker.doctor.asking.telemetry import ask_metrics, ask_traces
from worker.doctor.examination import Check
from worker.doctor.finding import Finding
from worker.doctor.judging.settings import judge_settings
from worker.settings import Settings
from worker.topics.from_settings import administrator, needed_by

SHARE = 0.5  # of the whole time, for one question among several


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: settings, the places where each of them stands, and the process's environment."""

    settings: Settings
    origins: Mapping[str, Sequence[str]]
    environ: Mapping[str, str]


def checks(patient: Patient, log: FilteringBoundLogger, now: Callable[[], float], seconds: float) -> list[Check]:
    """In the order in which they are told. `now` is the wall clock in seconds, `seconds` bounds each of them."""
    settings = patient.settings
    needed = needed_by(settings)
    sources = [topic.name for topic in needed if topic.role == "source"]
    connect = partial(administrator, settings, log, seconds=seconds * SHARE)

    async def ask_settings() -> list[Finding]:
        return judge_settings(patient.origins)

    return [
        Check("settings", ask_settings, "the settings"),
        Check("brokers", partial(ask_kafka, connect, settings, needed, seconds), "WORKER_KAFKA__BOOTSTRAP_SERVERS"),
        Check("registry", partial(ask_registry, settings, sources), "WORKER_REGISTRY__URL"),
        Check("ledger", partial(ask_ledger, settings, now), "WORKER_LEDGER__URL"),
        Check("rokt", partial(ask_rokt, settings, now), "WORKER_ROKT__BASE_URL"),
        Check("traces", partial(ask_traces, patient.environ, seconds * SHARE), "OTEL_EXPORTER_OTLP_ENDPOINT"),
        Check("metrics", partial(ask_metrics, patient.environ, seconds * SHARE), "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ]
