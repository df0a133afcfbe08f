"""The demo as somebody runs it who has just cloned the repository, and what it says when something is amiss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

# A process that was started with SIGINT ignored (in the background of a script) would leave it so.
HEEDING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
DEMO = "from worker.commands.demo import demo; demo()"
# What is taken away here is what the books compare, after all has gone well.
LOSES_A_LETTER = f"""
import dataclasses
from worker.demo import play
gather = play.gather
def without_a_letter(stage, crash):
    evidence = gather(stage, crash)
    return dataclasses.replace(evidence, letters=evidence.letters[1:])
play.gather = without_a_letter
{DEMO}
"""


def run(code: str, *flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=os.environ | environ, check=False)


def sums(tallies: dict[str, dict[str, int]]) -> tuple[int, int]:
    return sum(t["expected"] for t in tallies.values()), sum(t["found"] for t in tallies.values())


def test_the_books_balance_whatever_is_in_the_users_environment() -> None:
    ended = run(
        DEMO,
        "--carts",
        "30",
        "--seed",
        "5",
        "--json",
        WORKER_NONSENSE="1",
        OTEL_TRACES_EXPORTER="none",
        FORCE_COLOR="1",
    )
    assert ended.returncode == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    assert report["balanced"] is True
    assert report["problems"] == []
    total = report["events"]["total"]
    assert total == sum(report["events"]["topics"].values())
    assert sums(report["records"]) == (total, total)
    expected, found = sums(report["reservations"])
    assert expected == found > 0
    expected, found = sums(report["dead_letters"])
    assert expected == found > 0
    assert sum(report["outcomes"]["confirm"].values()) <= sum(report["calls"]["confirm"].values())
    assert {"repeated", "republished", "sold", "partly_sold", "early", "late", "too_late"} < report["records"].keys()
    assert (report["outcomes"]["release"]["superseded"], report["outcomes"]["confirm"]["superseded"]) >= (1, 1)
    assert report["crash"]["calls_made_again"] > 0
    assert report["trace"]["spans"][0]["name"] == "process checkout-completed"
    assert "\x1b" not in ended.stderr
    assert "worker: process" in ended.stderr
    assert "worker: killed (kill -9) with " in ended.stderr


def test_it_exits_1_and_says_which_record_when_a_dead_letter_is_missing() -> None:
    ended = run(LOSES_A_LETTER, "--carts", "20")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "The books do not balance, 1 wrong:" in ended.stdout
    assert "dead letters none, expected [" in " ".join(ended.stdout.split())
    assert "\x1b" not in ended.stdout


def test_ctrl_c_ends_the_worker_too_at_once_and_without_a_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HEEDING + DEMO], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        worker = next(line for line in process.stdout if line.startswith("worker: process "))
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = process.stdout.read()
        assert process.wait(10) == 130
    assert time.monotonic() - began < 3
    assert "Traceback" not in rest
    assert not _runs(int(worker.split()[2].rstrip(",")))


def test_it_ends_early_and_says_why_when_the_worker_dies() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DEMO], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        worker = next(line for line in process.stdout if line.startswith("worker: process "))
        os.kill(int(worker.split()[2].rstrip(",")), signal.SIGKILL)
        rest = process.stdout.read()
        assert process.wait(10) == 1
    assert "The worker ended with exit code -9 before its work was done:" in rest
    assert "Traceback" not in rest


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
