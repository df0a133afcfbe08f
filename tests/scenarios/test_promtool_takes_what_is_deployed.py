"""promtool, as it comes with Prometheus, takes the alerts, runs their cases, and reads the dashboard's expressions."""

from __future__ import annotations

from pathlib import Path

import yaml

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
