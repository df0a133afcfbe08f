"""What may be committed: everything below it is settled, whatever the order in which things settle."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.frontier import Frontier

# Offsets rise, with holes where the log has some; what settles first is anybody's guess.
LOGS = st.lists(st.integers(1, 5), min_size=1, max_size=40).map(lambda steps: list(accumulate(steps)))


@given(LOGS, st.randoms(use_true_random=False))
def test_a_commit_never_passes_an_unsettled_event(offsets: list[int], random: object) -> None:
    frontier = Frontier()
    settled: set[int] = set()
    unread = list(offsets)
    in_hand: list[int] = []
    while unread or in_hand:
        if unread and (not in_hand or random.random() < 0.5):  # type: ignore[attr-defined]
            frontier.read(unread[0])
            in_hand.append(unread.pop(0))
        else:
            done = in_hand.pop(random.randrange(len(in_hand)))  # type: ignore[attr-defined]
            frontier.settle(done)
            settled.add(done)
        below = [o for o in offsets if frontier.committable is not None and o < frontier.committable]
        assert set(below) <= settled
        open_offsets = [o for o in offsets if o not in unread and o not in settled]
        assert frontier.oldest == (open_offsets[0] if open_offsets else None)
        assert frontier.passed == len(below)
    assert frontier.committable == offsets[-1] + 1
    assert frontier.oldest is None


def test_before_the_first_is_settled_there_is_nothing_to_commit() -> None:
    frontier = Frontier()
    for offset in (7, 8, 9):
        frontier.read(offset)
    frontier.settle(9)
    frontier.settle(8)
    assert frontier.committable is None
    frontier.settle(7)
    assert frontier.committable == 10


@pytest.mark.parametrize("again", [0, 4, 5])
def test_a_log_that_was_rewound_is_another_frontier(again: int) -> None:
    frontier = Frontier()
    frontier.read(5)
    with pytest.raises(ValueError, match="was read after 5"):
        frontier.read(again)
