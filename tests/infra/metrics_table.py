"""The table of all metrics, made from the code: `python -m infra.metrics_table > ../deploy/observability/METRICS.md`.

What Prometheus calls each is not worked out here: every instrument is given a value, and what is served is read.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from worker.gauges import CIRCUITS
from worker.keys import Operation
from worker.looking import constants
from worker.replay.request import Part
from worker.settings import KafkaSettings, RoktSettings, Settings
from worker.stream.pauses import END, GAP, MEMORY, UNKNOWN
from worker.telemetry import export, instruments
from worker.telemetry.instruments import Instrument
from worker.telemetry.meters import Meters
from worker.telemetry.metrics import Metrics, Read
from worker.telemetry.names import Cause, Reason, Status
from worker.unready import REASONS
from worker.wiring import LEDGER
from worker.work import FATES

HEAD: Final = """\
# Metrics

Everything that a worker measures: `/metrics` on `WORKER_HEALTH__PORT` for Prometheus, or by OTLP (`OTEL_*`). Made from
[instruments.py](../../worker/telemetry/instruments.py) by `make metrics`.

"""
OF_EVENTS: Final = ("registry", "lane", "turn", "confirm", "broker")
"""What events wait for, and not calls: that stands in spans only."""
VALUES: Final[Mapping[tuple[Instrument, str], tuple[str, ...]]] = {
    (instruments.CPU, "cpu.mode"): ("user", "system"),
    (instruments.SETTLED, instruments.FATE): FATES,
    (instruments.AGE, instruments.FATE): FATES,
    (instruments.DEAD_LETTERS, instruments.REASON): get_args(Reason),
    (instruments.PAUSED, instruments.REASON): (*UNKNOWN, GAP, MEMORY, END, LEDGER, *CIRCUITS),
    (instruments.ATTEMPTS, instruments.OPERATION): get_args(Operation),
    (instruments.CALLS, instruments.OPERATION): get_args(Operation),
    (instruments.CALLS, instruments.STATUS): get_args(Status),
    (instruments.WAITED, instruments.OPERATION): get_args(Operation),
    (instruments.WAITED, instruments.CAUSE): tuple(cause for cause in get_args(Cause) if cause not in OF_EVENTS),
    (instruments.CALLS_WAITING, instruments.OPERATION): get_args(Operation),
    (instruments.LIMIT, instruments.OPERATION): get_args(Operation),
    (instruments.CIRCUIT_OPEN, instruments.CIRCUIT): CIRCUITS,
    (instruments.CIRCUIT_SECONDS, instruments.CIRCUIT): CIRCUITS,
    (instruments.UNREADY, instruments.REASON): REASONS,
    (instruments.SPANS, instruments.RESULT): ("taken", "lost"),
    (instruments.REPLAY_RECORDS, instruments.PART): get_args(Part),
}
"""Of labels that take their values from a list that is closed."""


@dataclass(frozen=True, slots=True)
class Served:
    """An instrument as Prometheus reads it: its name, its labels, and the names of its series."""

    instrument: Instrument
    name: str
    labels: Mapping[str, str]
    series: frozenset[str]


def all_of_them() -> list[Instrument]:
    return [one for one in vars(instruments).values() if isinstance(one, Instrument)]


def served() -> Iterator[Served]:
    """Every instrument, in the order of the code. `labels` are by Prometheus's names, each with OpenTelemetry's."""
    families = {family.documentation: family for family in text_string_to_metric_families(_text())}
    for one in all_of_them():
        family = families[one.what]
        labels = {name.replace(".", "_"): name for name in (*_SET[one], *one.labels)}
        found = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert found == set(labels), f"{one.name}: {found}"
        series = frozenset(sample.name for sample in family.samples)
        name = min(series) if one.kind != "histogram" else family.name
        yield Served(one, name, labels, series)


def table() -> str:
    """The whole document."""
    lines = ["| Prometheus | kind | labels | what | OpenTelemetry | unit |", "|---|---|---|---|---|---|"]
    for one in served():
        labels = ", ".join(f"`{label}`" for label in one.labels)
        told = one.instrument
        cells = (f"`{one.name}`", told.kind, labels, told.what, f"`{told.name}`", f"`{told.unit}`" if told.unit else "")
        lines.append(f"| {' | '.join(cells)} |".replace("  ", " "))
    lines += ["", "Labels whose values are a closed list:", "", "| label | of | values |", "|---|---|---|"]
    lines += _closed()
    return HEAD + "\n".join(lines) + "\n"


def _closed() -> Iterator[str]:
    names = {one.instrument: one.name for one in served()}
    of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (instrument, label), values in VALUES.items():
        of.setdefault((label, values), []).append(f"`{names[instrument]}`")
    for (label, values), instruments_ in of.items():
        told = ", ".join(f"`{value}`" for value in values)
        yield f"| `{label.replace('.', '_')}` | {', '.join(instruments_)} | {told} |"


def _text() -> str:
    meters = Meters()
    for timer in meters.timers:
        timer.record(tuple(timer.instrument.labels), 0.1)
    others = [one for one in all_of_them() if one.kind != "histogram"]
    gauges: Read = {one: [(tuple(one.labels), 1.0)] for one in others}
    metrics = Metrics(meters, lambda: gauges, export.outlets({}), constants=constants(_SETTINGS), scraped=True)
    return asyncio.run(metrics.text()).decode()


_SETTINGS: Final = Settings.model_construct(
    kafka=KafkaSettings(bootstrap_servers="-"), rokt=RoktSettings(api_key=SecretStr("-"), tag_id="-")
)
_SET: Final = {one: (*one.constant, *constants(_SETTINGS).get(one, {})) for one in all_of_them()}

if __name__ == "__main__":
    sys.stdout.write(table())
