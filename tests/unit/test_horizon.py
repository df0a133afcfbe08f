"""What the retention does to records that are not processed: what is said of it, and when nothing is."""

from __future__ import annotations

import pytest

from worker.stream import horizon
from worker.stream.horizon import Log, Look, Place, Waiting

LOG = Log(100, 200)
RETENTION_MS = 1_000
SHARE = 0.25


def place(oldest: int | None = None, next_: int | None = 150, at_ms: int | None = 0, *, paused: bool = False) -> Place:
    return Place(oldest, next_, at_ms, paused)


def waiting(offset: int, left_ms: int | None) -> Look:
    return Look(place(offset), Waiting(offset, left_ms))


# --- How long is left


def test_the_clock_runs_from_the_oldest_record_in_hand() -> None:
    assert horizon.look(place(oldest=120, at_ms=500), LOG, RETENTION_MS, 700).waiting == Waiting(120, 800)


def test_with_nothing_in_hand_it_runs_from_the_last_record_that_was_read() -> None:
    assert horizon.look(place(at_ms=500), LOG, RETENTION_MS, 700).waiting == Waiting(150, 800)


def test_where_all_is_read_and_settled_nothing_waits() -> None:
    assert horizon.look(place(next_=200), LOG, RETENTION_MS, 700).waiting is None


def test_what_is_overdue_has_nothing_left() -> None:
    assert horizon.look(place(oldest=120), LOG, RETENTION_MS, 5_000).waiting == Waiting(120, 0)
    assert horizon.look(place(oldest=99), LOG, None, 0).waiting == Waiting(99, 0)


def test_without_a_retention_or_a_timestamp_or_the_brokers_word_nothing_is_known() -> None:
    assert horizon.look(place(oldest=120), LOG, None, 700).waiting == Waiting(120, None)
    assert horizon.look(place(oldest=120, at_ms=None), LOG, RETENTION_MS, 700).waiting == Waiting(120, None)
    assert horizon.look(place(), None, RETENTION_MS, 700).waiting is None
    assert horizon.look(place(oldest=120), None, RETENTION_MS, 700).waiting == Waiting(120, 300)


# --- When it is said


def alarm(before: Look | None, now: Look) -> horizon.Level | None:
    return horizon.alarm(before, now, RETENTION_MS, SHARE)


def test_a_partition_that_stands_still_is_named_in_time() -> None:
    assert alarm(waiting(120, 300), waiting(120, 250)) is None
    assert alarm(waiting(120, 300), waiting(120, 249)) == "warning"
    assert alarm(waiting(120, 300), waiting(120, 99)) == "error"


def test_a_partition_that_goes_on_is_not_named_however_old_its_records_are() -> None:
    assert alarm(waiting(120, 10), waiting(140, 40)) is None
    assert alarm(waiting(120, 240), waiting(121, 200)) is None


def test_one_that_goes_on_too_slowly_is_named_when_it_is_about_to_lose() -> None:
    assert alarm(waiting(120, 120), waiting(121, 99)) == "error"


def test_a_record_that_is_seen_for_the_first_time_is_not_named() -> None:
    assert alarm(None, waiting(120, 0)) is None
    assert alarm(Look(place(), None), waiting(120, 0)) is None


def test_the_share_is_the_operators() -> None:
    assert horizon.alarm(waiting(120, 900), waiting(120, 800), RETENTION_MS, 0.9) == "warning"
    assert horizon.alarm(waiting(120, 0), waiting(120, 0), RETENTION_MS, 0.0) is None


def test_a_record_that_only_this_process_has_is_named() -> None:
    assert horizon.only_in_hand(waiting(99, 0), waiting(99, 0), LOG)
    assert not horizon.only_in_hand(None, waiting(99, 0), LOG)
    assert not horizon.only_in_hand(waiting(98, 0), waiting(99, 0), LOG)
    assert not horizon.only_in_hand(waiting(100, 0), waiting(100, 0), LOG)


# --- What was deleted unread


def still(at: int) -> Look:
    return Look(place(next_=at), None)


def test_what_was_deleted_before_a_paused_partition_read_it_is_lost() -> None:
    assert horizon.lost(None, place(next_=90, paused=True), LOG) == (90, 100)


def test_what_may_have_been_fetched_ahead_is_lost_only_if_it_does_not_come() -> None:
    assert horizon.lost(None, place(next_=90), LOG) is None
    assert horizon.lost(still(80), place(next_=90), LOG) is None
    assert horizon.lost(still(90), place(next_=90), LOG) == (90, 100)


@pytest.mark.parametrize("next_", [100, 150, None])
def test_what_is_still_there_is_not_lost(next_: int | None) -> None:
    assert horizon.lost(still(100), place(next_=next_, paused=True), LOG) is None


def test_a_log_that_ends_before_what_is_read_next_was_rewound() -> None:
    assert horizon.rewound(still(201), place(next_=201), LOG)
    assert not horizon.rewound(None, place(next_=201), LOG)
    assert not horizon.rewound(still(200), place(next_=200), LOG)


def test_a_jump_is_a_loss_as_far_as_the_log_starts_behind_it() -> None:
    assert horizon.skipped(90, 100, 100) == (90, 100)
    assert horizon.skipped(90, 105, 100) == (90, 100)
    assert horizon.skipped(90, 95, 100) == (90, 95)


def test_a_jump_over_a_hole_is_no_loss() -> None:
    assert horizon.skipped(120, 125, 100) is None
    assert horizon.skipped(100, 125, 100) is None
