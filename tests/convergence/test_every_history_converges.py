"""Whatever the interleaving of the topics, however often events come, wherever workers end: Rokt ends the same."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convergence.histories import History, histories
from convergence.properties import check
from convergence.runs import Run, Tape

LONG = os.environ.get("WORKER_TEST_FAULTS") == "long"
RUNS = 5_000 if LONG else 100
SCHEDULES = 4
seeds = st.integers(0, 2**32)
lengths = st.integers(0, 200)
pytestmark = pytest.mark.timeout(3600 if LONG else 180)
many = settings(max_examples=RUNS, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("forgets", [False, True])
@many
@given(histories(), seeds, lengths)
def test_rokt_ends_as_if_all_had_come_in_sequence_when_the_waits_are_long_enough(
    forgets: bool, history: History, seed: int, length: int
) -> None:
    for turn in range(SCHEDULES):
        world = Run(history, Tape(seed + turn, length), patient=True, forgets=forgets).play()
        check(history, world, patient=True)


@pytest.mark.parametrize("forgets", [False, True])
@many
@given(histories(), seeds, lengths)
def test_nothing_is_sold_though_cancelled_nor_done_twice_when_the_waits_run_out(
    forgets: bool, history: History, seed: int, length: int
) -> None:
    for turn in range(SCHEDULES):
        world = Run(history, Tape(seed + turn, length), patient=False, forgets=forgets).play()
        check(history, world, patient=False)


@many
@given(histories(), seeds, lengths)
def test_calls_that_are_given_up_leave_nothing_sold_though_cancelled_nor_done_twice(
    history: History, seed: int, length: int
) -> None:
    for turn in range(SCHEDULES):
        tape = Tape(seed + turn, length)
        world = Run(history, tape, patient=False, forgets=True, mishaps=12, max_attempts=2).play()
        check(history, world, patient=False)
