"""deploy/observability/dashboard.json is a dashboard that Grafana can show, of metrics that there are."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from infra.observability import asked, dashboard, unknown

PANELS: list[dict[str, Any]] = dashboard()["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def test_every_panel_has_an_id_and_a_title_of_its_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)


def test_no_panel_lies_on_another_or_sticks_out() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_asks_the_data_source_that_was_chosen(panel: dict[str, Any]) -> None:
    assert panel["datasource"] == SOURCE
    assert panel["targets"]
    assert all(target["expr"] and "legendFormat" in target for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert panel["fieldConfig"]["defaults"]["unit"]


def test_its_variables_are_those_that_it_uses() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}
    assert set(variables) == {"datasource", "job", "instance"}
    assert variables["datasource"]["type"] == "datasource"
    assert all(variables[name]["datasource"] == SOURCE for name in ("job", "instance"))
    text = "".join(expression for _, expression in asked())
    assert "$job" in text
    assert "$instance" in text


@pytest.mark.parametrize(("title", "expression"), [*asked()])
def test_every_metric_label_and_value_that_it_names_is_the_workers(title: str, expression: str) -> None:
    assert unknown(expression) == []


def test_the_first_row_fits_a_glance() -> None:
    top = [panel for panel in SHOWN if panel["gridPos"]["y"] == 0]
    assert {panel["type"] for panel in top} == {"stat"}
    assert sum(panel["gridPos"]["w"] for panel in top) == WIDTH
