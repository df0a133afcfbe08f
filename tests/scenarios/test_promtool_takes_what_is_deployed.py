"""promtool, as it comes with Prometheus, takes the alerts, runs their cases, and reads the dashboard's expressions."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from infra.kustomized import of_kind
from infra.observability import ALERTS, CASES, FOLDER, asked, cases
from infra.prometheus import Prometheus


def test_the_rules_are_rules(prometheus: Prometheus) -> None:
    done = prometheus.promtool("check", "rules", ALERTS.name, cwd=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_case_fires_what_it_says_and_nothing_else(prometheus: Prometheus) -> None:
    done = prometheus.promtool("test", "rules", CASES.name, cwd=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_case_that_is_wrong_is_noticed(prometheus: Prometheus, tmp_path: Path) -> None:
    (tmp_path / ALERTS.name).write_text(ALERTS.read_text().replace("RoktThrottles", "RoktBrakes"))
    of_it = [case for case in cases() if "RoktThrottles" in str(case)]
    (tmp_path / CASES.name).write_text(yaml.safe_dump({"rule_files": [ALERTS.name], "tests": of_it}))
    done = prometheus.promtool("test", "rules", CASES.name, cwd=tmp_path)
    assert done.returncode != 0
    assert "RoktBrakes" in done.stdout + done.stderr


def test_every_expression_of_the_dashboard_is_one(prometheus: Prometheus, tmp_path: Path) -> None:
    recorded = [{"record": f"panel:{n}", "expr": expression} for n, (_, expression) in enumerate(asked())]
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    done = prometheus.promtool("check", "rules", file.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(recorded)} rules found" in done.stdout


@pytest.mark.parametrize(
    ("what", "more", "workers_wanted_for"),
    [
        ("workers that are behind", {}, 900),
        ("an outage of Rokt", {'rokt_circuit_open{job="rokt-worker",circuit="confirm"}': "1"}, 0),
        ("closed circuits", {'rokt_circuit_open{job="rokt-worker",circuit="confirm"}': "0"}, 900),
        ("Rokt that asked to wait", {'rokt_calls_held_back_seconds{job="rokt-worker"}': "20"}, 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_scaler_counts_lag_but_not_while_only_rokt_holds_events_up(
    what: str, more: dict[str, str], workers_wanted_for: int, prometheus: Prometheus, tmp_path: Path
) -> None:
    [scaled] = of_kind("ScaledObject")
    [trigger] = scaled["spec"]["triggers"]
    lag = {f'rokt_partition_lag{{job="rokt-worker",instance="{n}",topic="t",partition="{n}"}}': "300" for n in "abc"}
    sample = {"labels": "{}", "value": workers_wanted_for}
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": value} for name, value in (lag | more).items()],
        "promql_expr_test": [{"expr": trigger["metadata"]["query"], "eval_time": "0m", "exp_samples": [sample]}],
    }
    (tmp_path / "case.yaml").write_text(yaml.safe_dump({"tests": [test]}))
    done = prometheus.promtool("test", "rules", "case.yaml", cwd=tmp_path)
    assert done.returncode == 0, f"{what}: {done.stdout}{done.stderr}"
