"""How a partition stands, as metrics and the page are told, and what the gauges make of a worker's state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.gate.circuit import OpenCircuit
from worker.gate.gate import GateState
from worker.gauges import GAUGES
from worker.record import Record
from worker.state import PartitionState, State, of_partition
from worker.stream.assignment import Assignment
from worker.telemetry import instruments
from worker.work import Work

NOW_MS = 1_000_000
STATE = State(
    idle_seconds=0.1,
    joined=True,
    brokers_down=False,
    gate=GateState((OpenCircuit("confirm", "Rokt answered 503", 12.0),), {"confirm": 26}, {"confirm": 3}, 2, 1.5, None),
    ledger_down=True,
    stopping=False,
    partitions=(
        PartitionState("orders", 0, 5, 3, 2, 7.0, 1.0, frozenset({"gap", "ledger"})),
        PartitionState("orders", 1, None, 0, 0, None, 0.0, frozenset()),
    ),
    under_way=1,
    lanes=4,
    stalls=(),
    retention_left_seconds=None,
    records_lost=0,
)


def record(offset: int, timestamp_ms: int | None = NOW_MS - 5_000) -> Record:
    return Record("orders", 0, offset, None, b"{}", (), timestamp_ms)


def taken(assignment: Assignment, *records: Record) -> Assignment:
    """These were fetched and read, and are in hand since the clock showed 40."""
    assignment.fetch(records)
    for one in records:
        assignment.read(one)
        assignment.unread.popleft()
        assignment.in_hand[one.offset] = (Work(one, assignment.stop), 40.0)
    return assignment


def state_of(assignment: Assignment, log_end: int | None = None) -> PartitionState:
    return of_partition(assignment, log_end, clock=43.0, now_ms=NOW_MS)


def test_lag_is_from_what_is_settled_without_a_hole_to_the_end_of_the_log() -> None:
    assignment = taken(Assignment("orders", 0, next_offset=10), record(10), record(11), record(12))
    assignment.settled(assignment.in_hand[11][0].record)
    assert (state_of(assignment, 20).lag, state_of(assignment, 20).in_hand) == (10, 2)
    assignment.settled(assignment.in_hand[10][0].record)
    assert state_of(assignment, 20).lag == 8


def test_the_end_is_the_furthest_that_anybody_saw() -> None:
    assignment = taken(Assignment("orders", 0, next_offset=10), record(10))
    assert state_of(assignment).lag == 1
    assignment.log_high = 15
    assert state_of(assignment, 12).lag == 5
    assert state_of(assignment, 30).lag == 20


def test_without_a_commit_and_without_records_the_lag_is_not_known() -> None:
    assert state_of(Assignment("orders", 0), 20).lag is None


def test_while_nobody_saw_where_the_log_ends_the_lag_is_not_known() -> None:
    assignment = Assignment("orders", 0, next_offset=12)
    assert state_of(assignment).lag is None
    assignment.log_high = 12
    assert state_of(assignment).lag == 0


def test_before_anything_is_read_the_lag_is_from_what_the_group_committed() -> None:
    assert state_of(Assignment("orders", 0, next_offset=12), 20).lag == 8


def test_the_oldest_is_the_first_that_is_not_settled_and_blocked_says_for_how_long_it_is_in_hand() -> None:
    state = state_of(taken(Assignment("orders", 0, next_offset=10), record(10), record(11, NOW_MS)))
    assert (state.oldest_seconds, state.blocked_seconds, state.gap) == (5.0, 3.0, 2)


def test_while_all_that_waits_is_unread_it_is_as_old_as_the_last_that_was_read() -> None:
    assignment = taken(Assignment("orders", 0, next_offset=10), record(10))
    assignment.settled(record(10))
    assert state_of(assignment).oldest_seconds is None
    assert state_of(assignment, 20).oldest_seconds == 5.0


@pytest.mark.parametrize(
    ("instrument", "values"),
    [
        (instruments.LAG, [(("orders", "0"), 5)]),
        (instruments.IN_HAND, [(("orders",), 2)]),
        (instruments.ASSIGNED, [(("orders",), 2)]),
        (instruments.OLDEST, [(("orders", "0"), 7.0), (("orders", "1"), 0.0)]),
        (instruments.PAUSED, [(("orders", "0", "gap"), 1), (("orders", "0", "ledger"), 1)]),
        (instruments.LIMIT, [(("confirm",), 26)]),
        (instruments.HELD_BACK, [((), 1.5)]),
        (instruments.PACE, []),
        (instruments.RETENTION_LEFT, []),
        (instruments.LANES, [((), 4)]),
    ],
)
def test_each_gauge_is_read_off_the_state(instrument: instruments.Instrument, values: object) -> None:
    assert list(dict(GAUGES)[instrument](STATE)) == values


def test_circuits_and_reasons_are_told_whether_they_hold_or_not() -> None:
    gauges = dict(GAUGES)
    circuits = dict(gauges[instruments.CIRCUIT_OPEN](STATE))
    assert {name for (name,), value in circuits.items() if value} == {"confirm"}
    assert len(circuits) == 5
    assert dict(gauges[instruments.CIRCUIT_SECONDS](STATE))["confirm",] == 12.0
    reasons = dict(gauges[instruments.UNREADY](replace(STATE, stopping=True)))
    assert {name for (name,), value in reasons.items() if value} == {"ledger", "stopping"}


def test_every_gauge_is_read_by_somebody() -> None:
    """Those of the process are read as readers collect, those of a replay by the replay."""
    every = {one for one in vars(instruments).values() if getattr(one, "kind", "") == "gauge"}
    replays = {instruments.REPLAY_PASSED, instruments.REPLAY_PLANNED, instruments.REPLAY_RECORDS}
    assert every - dict(GAUGES).keys() == replays | {instruments.MEMORY}
