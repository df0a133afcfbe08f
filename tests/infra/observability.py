"""What deploy/observability holds, and whether what it names is there: metrics, labels, and values of labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from infra import metrics_table
from infra.promql import Named, named

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "observability"
ALERTS: Final = FOLDER / "alerts.yaml"
CASES: Final = FOLDER / "alerts.test.yaml"
DASHBOARD: Final = FOLDER / "dashboard.json"
METRICS: Final = FOLDER / "METRICS.md"
RUNBOOK: Final = FOLDER.parent / "RUNBOOK.md"

Labels = Mapping[str, tuple[str, ...]]
"""The labels of a series with their values, none where the list is open."""

SCRAPED: Final[Labels] = {"job": (), "instance": ()}
OWN: Final[Mapping[str, Labels]] = {
    "up": SCRAPED,
    "ALERTS": {**SCRAPED, "alertname": (), "alertstate": ("pending", "firing"), "severity": ("page", "ticket")},
}
"""What Prometheus has by itself."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert, or a recorded series."""

    name: str
    expr: str
    severity: str = ""
    summary: str = ""
    description: str = ""
    runbook_url: str = ""


def rules() -> Iterator[Rule]:
    """The recorded series, without a severity, and the alerts; in their order."""
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    for rule in group["rules"]:
        name = rule.get("alert") or rule["record"]
        yield Rule(name, rule["expr"], **rule.get("labels", {}), **rule.get("annotations", {}))


def alerts() -> list[Rule]:
    return [rule for rule in rules() if rule.severity]


def cases() -> list[dict[str, Any]]:
    """promtool's, of alerts.test.yaml."""
    found: list[dict[str, Any]] = yaml.safe_load(CASES.read_text())["tests"]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def asked() -> Iterator[tuple[str, str]]:
    """Every expression of the dashboard with its panel's title, Grafana's variables filled in."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def unknown(expression: str) -> list[str]:
    """What an expression names that is not there."""
    found, known = named(expression), _known()
    return [*_unknown_series(found, known), *_unknown_groups(found, known)]


def _unknown_series(found: Named, known: Mapping[str, Labels]) -> Iterator[str]:
    for selector in found.selectors:
        labels = known.get(selector.series)
        if labels is None:
            yield selector.series
            continue
        for matcher in selector.matchers:
            if matcher.label not in labels:
                yield f"{selector.series}{{{matcher.label}}}"
            elif values := labels[matcher.label]:
                meant = matcher.value.split("|") if "~" in matcher.operator else [matcher.value]
                wrong = [one for one in meant if not any(re.fullmatch(one, value) for value in values)]
                yield from (f'{selector.series}{{{matcher.label}="{one}"}}' for one in wrong)


def _unknown_groups(found: Named, known: Mapping[str, Labels]) -> Iterator[str]:
    there = {label for selector in found.selectors for label in known.get(selector.series, ())}
    yield from (f"by ({label})" for label in sorted(found.grouped_by - there))


@cache
def _known() -> Mapping[str, Labels]:
    """Every series of ours, of Prometheus's own, and of our rules."""
    known = dict(OWN)
    for one in metrics_table.served():
        values = {label: metrics_table.VALUES.get((one.instrument, name), ()) for label, name in one.labels.items()}
        for series in one.series:
            known[series] = {**SCRAPED, **values, **({"le": ()} if series.endswith("_bucket") else {})}
    for rule in rules():
        if not rule.severity:
            found = named(rule.expr)
            of = [known[selector.series] for selector in found.selectors]
            known[rule.name] = {label: _all(label, of) for label in found.grouped_by}
    return known


def _all(label: str, of: list[Labels]) -> tuple[str, ...]:
    return tuple({value for labels in of for value in labels.get(label, ())})
