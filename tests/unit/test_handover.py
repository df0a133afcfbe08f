"""What a commit tells the next owner: what is settled above it, believed only of records older than the commit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.handover import OFFSETS, Handover, from_text, to_text
from worker.record import Record
from worker.stream.assignment import Assignment

AT = 1_763_632_800_000


@given(st.integers(0, 2**40), st.sets(st.integers(0, OFFSETS - 1), max_size=300))
def test_the_next_owner_reads_what_was_written(base: int, above: set[int]) -> None:
    settled = {base + n for n in above}
    told = from_text(base, to_text(base, settled, AT))
    assert told.settled == settled
    assert all(told.covers(offset, AT) for offset in settled)
    assert not told.covers(base + OFFSETS, AT)


@given(st.sets(st.integers(-50, 3 * OFFSETS), min_size=1))
def test_the_text_fits_beside_a_commit_and_leaves_out_what_is_too_far(offsets: set[int]) -> None:
    text = to_text(0, offsets, AT)
    assert len(text) < 4096
    assert from_text(0, text).settled == {n for n in offsets if 0 <= n < OFFSETS}


def test_every_second_offset_of_the_whole_map_fits_too() -> None:
    settled = set(range(1, OFFSETS, 2))
    text = to_text(0, settled, AT)
    assert len(text) < 4096
    assert from_text(0, text).settled == settled


@pytest.mark.parametrize(
    "text", [None, "", "x", "1:", "1:5", "1:x:AAAA", "2:5:AAAA", "1:5:%%%", "1:5:AAAA", "1:5:é", "::"]
)
@given(st.text(max_size=40))
def test_a_text_of_anybody_elses_says_nothing(text: str | None, garbage: str) -> None:
    assert from_text(7, text).settled == frozenset()
    assert not from_text(7, garbage).covers(7, 0) or garbage.startswith("1:")


def test_a_record_that_is_newer_than_the_commit_is_another_one() -> None:
    told = Handover(0, AT, frozenset({5}))
    assert told.covers(5, AT)
    assert not told.covers(5, AT + 1)
    assert not told.covers(5, None)
    assert not told.covers(6, AT)


def _record(offset: int) -> Record:
    return Record("orders", 0, offset, None, b"x", (), AT)


def test_what_an_earlier_owner_settled_is_passed_and_not_handled() -> None:
    assignment = Assignment("orders", 0, Handover(10, AT, frozenset({11, 13})))
    for offset in (10, 11, 12, 13):
        assignment.read(_record(offset))
    assert [record.offset for record in assignment.unread] == [10, 12]
    assert assignment.to_commit == (10, frozenset({11, 13}))


def test_a_log_that_is_read_from_elsewhere_is_believed_nothing() -> None:
    assignment = Assignment("orders", 0, Handover(10, AT, frozenset({11, 13})))
    for offset in (0, 11, 13):
        assignment.read(_record(offset))
    assert [record.offset for record in assignment.unread] == [0, 11, 13]
