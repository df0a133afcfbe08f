"""What became of a partition's records is there until it is known to be counted, each by its offset."""

from __future__ import annotations

from worker.replay.tally import Tally


def tally(*parts: tuple[int, str, int]) -> Tally:
    found = Tally()
    for offset, part, calls in parts:
        found.note(offset, part, calls)  # type: ignore[arg-type]
    return found


def test_what_is_below_the_frontier_is_counted_and_what_is_above_is_not() -> None:
    found = tally((3, "succeeded", 1), (4, "settled before", 0), (5, "succeeded", 2), (7, "skipped", 0))
    assert found.counts(3, 6) == ({"succeeded": 2, "settled before": 1}, 3)
    assert found.counts(4, 8) == ({"settled before": 1, "succeeded": 1, "skipped": 1}, 2)


def test_counting_takes_nothing_away_until_it_is_known_to_be_kept() -> None:
    found = tally((0, "succeeded", 1), (1, "succeeded", 1))
    assert found.counts(0, 2) == found.counts(0, 2)
    found.forget(1)
    assert found.counts(0, 2) == ({"succeeded": 1}, 1)
    found.forget(2)
    assert found.counts(0, 2) == ({}, 0)
    assert len(found) == 0


def test_a_record_that_is_settled_twice_is_counted_once_and_as_it_was_last() -> None:
    assert tally((0, "succeeded", 1), (0, "settled before", 0)).counts(0, 1) == ({"settled before": 1}, 0)


def test_what_was_deleted_unread_is_counted_by_offsets_and_only_within_what_is_asked() -> None:
    found = tally((9, "succeeded", 1))
    found.lost(2, 9)
    assert found.counts(0, 10) == ({"lost": 7, "succeeded": 1}, 1)
    assert found.counts(5, 7) == ({"lost": 2}, 0)
    found.forget(5)
    assert found.counts(5, 10) == ({"lost": 4, "succeeded": 1}, 1)
    found.forget(10)
    assert found.counts(0, 10) == ({}, 0)
