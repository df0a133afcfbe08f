"""How many workers the scaler asks for: its query on a real Prometheus, then the autoscaler's arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from infra.kustomized import of_kind
from infra.prometheus import Prometheus

WORKERS: Final = 3
MINUTES: Final = 20
LATE: Final = "40m"
TOLERANCE: Final = 0.1
[SCALED] = of_kind("ScaledObject")
[TRIGGER] = [trigger["metadata"] for trigger in SCALED["spec"]["triggers"]]


def series(lag: int, *, trouble: dict[str, str], workers: int = WORKERS) -> list[dict[str, str]]:
    """Of so many workers, an hour long: the lag is there all the time, the trouble is as it is written."""
    found = []
    for worker in range(workers):
        labels = f'job="rokt-worker", instance="{worker}"'
        well = {
            f'rokt_partition_lag{{topic="paid", partition="{worker}", {labels}}}': f"{lag // workers}+0x60",
            f"rokt_worker_idle_seconds{{{labels}}}": "0+0x60",
            f'rokt_circuit_open{{circuit="confirm", {labels}}}': "0+0x60",
            f"rokt_calls_held_back_seconds{{{labels}}}": "0+0x60",
            f'rokt_call_wait_duration_seconds_sum{{operation="confirm", cause="rate", {labels}}}': "0+0x60",
            f'rokt_call_wait_duration_seconds_sum{{operation="confirm", cause="concurrency", {labels}}}': "0+600x60",
        }
        told = {f"{name.removesuffix('}')}{', ' if '}' in name else '{'}{labels}}}": v for name, v in trouble.items()}
        found += [{"series": name, "values": values} for name, values in (well | told).items()]
    return found


def wanted(asked: float, workers: int = WORKERS) -> int:
    """How many the autoscaler makes of an average per pod, before its behaviour slows it down."""
    each, least, most = (
        float(TRIGGER["threshold"]),
        SCALED["spec"]["minReplicaCount"],
        SCALED["spec"]["maxReplicaCount"],
    )
    if abs(asked / (each * workers) - 1) <= TOLERANCE:
        return workers
    return int(min(max(math.ceil(asked / each), least), most))


def gives(prometheus: Prometheus, folder: Path, at: Mapping[str, float | None], given: list[dict[str, str]]) -> None:
    """That the query gives these numbers, or none, at these times."""
    asks: list[dict[str, Any]] = [
        {
            "expr": TRIGGER["query"],
            "eval_time": time,
            "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
        }
        for time, value in at.items()
    ]
    case = {"interval": "1m", "input_series": given, "promql_expr_test": asks}
    (folder / "scaler.yaml").write_text(yaml.safe_dump({"tests": [case]}))
    done = prometheus.promtool("test", "rules", "scaler.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("lag", "workers"), [(0, 2), (9_000, 2), (15_600, 3), (24_000, 5), (3_000_000, 6)])
def test_more_workers_while_events_wait_and_at_most_one_a_partition(
    lag: int, workers: int, prometheus: Prometheus, tmp_path: Path
) -> None:
    gives(prometheus, tmp_path, {LATE: lag}, series(lag, trouble={}))
    assert wanted(lag) == workers


@pytest.mark.parametrize(
    "trouble",
    [
        {'rokt_circuit_open{circuit="confirm"}': f"1+0x{MINUTES} 0+0x40"},
        {"rokt_calls_held_back_seconds": f"30+0x{MINUTES} 0+0x40"},
        {'rokt_call_wait_duration_seconds_sum{operation="confirm", cause="rate"}': f"0+600x{MINUTES} 12000+0x40"},
    ],
    ids=["down", "asked to wait", "at the cap"],
)
@pytest.mark.parametrize("lag", [0, 3_000_000])
def test_while_it_is_rokt_that_events_wait_for_the_number_stays_as_it_is(
    trouble: dict[str, str], lag: int, prometheus: Prometheus, tmp_path: Path
) -> None:
    as_it_is = WORKERS * float(TRIGGER["threshold"])
    at = {"10m": as_it_is, f"{MINUTES}m": as_it_is, LATE: float(lag)}
    gives(prometheus, tmp_path, at, series(lag, trouble=trouble))
    assert wanted(as_it_is) == WORKERS


def test_an_outage_of_one_operation_of_one_worker_is_enough(prometheus: Prometheus, tmp_path: Path) -> None:
    given = series(3_000_000, trouble={})
    given.append({"series": 'rokt_circuit_open{circuit="cancel", job="rokt-worker", instance="1"}', "values": "1+0x60"})
    gives(prometheus, tmp_path, {LATE: WORKERS * float(TRIGGER["threshold"])}, given)


def test_where_no_worker_is_known_there_is_no_number_and_the_scaler_leaves_it_as_it_is(
    prometheus: Prometheus, tmp_path: Path
) -> None:
    gives(prometheus, tmp_path, {LATE: None}, series(0, trouble={}, workers=0))
    assert TRIGGER["ignoreNullValues"] == "false"
    assert SCALED["spec"]["fallback"]["behavior"] == "currentReplicas"
