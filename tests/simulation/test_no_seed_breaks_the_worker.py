"""Whatever happens to shop, brokers, Rokt and workers: the books balance. And a seed is the same run, every time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from simulation.runs import failures, run

SEEDS = int(os.environ.get("WORKER_TEST_SEEDS", "200"))
TESTS = Path(__file__).parents[1]
HAPPENS = (
    "crashed",
    "expired",
    "left",
    "log call.retry",
    "log event.left_uncommitted",
    "log kafka.commit_failed",
    "log kafka.committed_unknown",
    "log kafka.lost",
    "log kafka.paused",
    "log kafka.revoked",
    "log kafka.write_waiting",
)
FATES = ("dead-lettered", "skipped", "superseded")
NEVER = ("log kafka.records_lost", "log kafka.log_rewound")


@pytest.mark.timeout(max(180, SEEDS))
def test_every_seed_balances() -> None:
    found = next(failures(range(SEEDS)), None)
    assert found is None, "\n" + found.report()


def test_what_the_worker_has_to_withstand_does_happen() -> None:
    happened: Counter[str] = Counter()
    for seed in range(60):
        trace = run(seed).trace
        happened.update({what for what in HAPPENS if trace.count(what)})
        happened.update({fate for fate in FATES if trace.count("log event.settled", fate=fate)})
    assert {what for what in (*HAPPENS, *FATES) if not happened[what]} == set()


def test_nothing_is_said_to_be_lost_where_offsets_have_holes_and_nothing_is_deleted() -> None:
    said = Counter(what for seed in range(60) for what in NEVER if run(seed).trace.count(what))
    assert not said


def test_a_seed_is_the_same_run_every_time_and_no_other_seed_is() -> None:
    digests = [[run(seed).trace.digest() for seed in range(20)] for _ in range(2)]
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == 20


def test_a_run_does_not_depend_on_how_python_hashes() -> None:
    def digests(hash_seed: str) -> str:
        command = [sys.executable, "-m", "simulation", "--seeds", "20", "--digests"]
        path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
        return subprocess.run(command, env=environment, cwd=TESTS, capture_output=True, text=True, check=True).stdout

    first = digests("1")
    assert len(first.splitlines()) == 20
    assert first == digests("2")
    assert first.split()[1] == run(0).trace.digest()


def test_a_failing_seed_says_what_is_broken_and_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.dispatch.lane_keys", lambda _: ())
    [found] = islice(failures(range(200)), 1)
    report = found.report()
    assert found.broken[0].name in report
    assert report.endswith(f"again: make simulate SEED={found.seed}")
