"""The alerts of deploy/observability: each can be acted on, each is tested, and each names what there is."""

from __future__ import annotations

import re

import pytest

from infra.observability import RUNBOOK, Rule, alerts, cases, rules, unknown
from infra.promql import named

ALERTS = alerts()
PARTS = ("**Meaning** ({severity}", "**Look.** ", "**Act.** ")
SECTIONS = dict(part.split("\n", 1) for part in RUNBOOK.read_text().split("\n## ")[1:])
HEALTHY = "all is well"


def heading(alert: Rule) -> str:
    """RoktLagGrows: Rokt lag grows."""
    first, *others = re.findall(r"[A-Z][a-z]+", alert.name)
    return " ".join([first, *(word.lower() for word in others)])


def each_alert() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])


@each_alert()
def test_it_says_who_has_to_act_and_on_what(alert: Rule) -> None:
    assert alert.severity in ("page", "ticket")
    assert alert.summary
    assert not alert.summary.endswith(".")
    assert alert.description.endswith(".")
    assert "{{" in alert.description
    assert alert.runbook_url == f"RUNBOOK.md#{heading(alert).lower().replace(' ', '-')}"


@each_alert()
def test_the_runbook_says_what_it_means_where_to_look_and_what_to_do(alert: Rule) -> None:
    section = SECTIONS[heading(alert)]
    places = [section.find(part.format(severity=alert.severity)) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


def test_the_runbook_has_no_heading_without_an_alert() -> None:
    assert list(SECTIONS) == [heading(alert) for alert in ALERTS]


def test_where_the_runbook_refers_to_another_heading_it_is_there() -> None:
    anchors = {title.lower().replace(" ", "-") for title in SECTIONS}
    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK.read_text())) <= anchors


@pytest.mark.parametrize("rule", [*rules()], ids=lambda rule: rule.name)
def test_every_metric_label_and_value_that_it_names_is_the_workers(rule: Rule) -> None:
    assert unknown(rule.expr) == []


@each_alert()
def test_every_label_in_its_texts_is_one_that_its_expression_leaves(alert: Rule) -> None:
    by_name = {rule.name: rule.expr for rule in rules()}
    found = named(alert.expr)
    left = found.grouped_by.union(*(named(by_name.get(one.series, "")).grouped_by for one in found.selectors))
    used = set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.description))
    assert used <= left


def test_a_name_that_is_not_there_is_noticed() -> None:
    assert unknown("sum by (job) (rokt_no_such_thing)") == ["rokt_no_such_thing", "by (job)"]
    assert unknown('rokt_circuit_open{circiut="confirm"}') == ["rokt_circuit_open{circiut}"]
    assert unknown('rokt_circuit_open{circuit=~"confirm|canel"}') == ['rokt_circuit_open{circuit="canel"}']
    assert unknown("sum by (operation) (rokt_lanes)") == ["by (operation)"]


@each_alert()
def test_a_case_makes_it_fire(alert: Rule) -> None:
    fired = {sample["labels"] for case in cases() for ask in case["promql_expr_test"] for sample in ask["exp_samples"]}
    assert f'{{alertname="{alert.name}"}}' in fired


def test_where_all_is_well_nothing_fires_though_everything_is_there() -> None:
    [case] = [case for case in cases() if case["name"].startswith(HEALTHY)]
    assert {(ask["expr"], tuple(ask["exp_samples"])) for ask in case["promql_expr_test"]} == {("ALERTS", ())}
    given = {series["series"].partition("{")[0] for series in case["input_series"]}
    recorded = {rule.name for rule in rules() if not rule.severity}
    asked = {one.series for rule in rules() for one in named(rule.expr).selectors} - recorded
    absent = {"rokt_replay_planned", "rokt_calls_pace_per_second"}
    assert asked - given == absent
