"""One cart fails for ever among good ones, or one endpoint beside working ones: the others go on."""

from __future__ import annotations

import pytest

from outages.figures import Figures
from outages.scarcity import ALWAYS_429, ALWAYS_500, ENDPOINT, MAX_ATTEMPTS
from outages.stage import LONG

# An attempt does not count if no other cart was heard of since the one before it, as where a busy machine stood still.
NOT_COUNTED = 0 if LONG else MAX_ATTEMPTS

pytestmark = pytest.mark.timeout(3_600 if LONG else 180)


@pytest.mark.parametrize("figures", [ALWAYS_500], indirect=True, ids=str)
def test_a_cart_that_is_always_answered_500_is_given_up_with_an_unknown_outcome(figures: Figures) -> None:
    assert figures.dead == {"unknown-outcome": 1}
    assert MAX_ATTEMPTS <= figures.notes["attempts"] <= MAX_ATTEMPTS + NOT_COUNTED
    assert (figures.lost, figures.doubled) == (0, 0)
    assert not figures.circuits
    _the_others_went_on(figures)


@pytest.mark.parametrize("figures", [ALWAYS_429], indirect=True, ids=str)
def test_a_cart_that_is_always_throttled_is_given_up_as_exhausted(figures: Figures) -> None:
    assert figures.dead == {"exhausted": 1}
    assert MAX_ATTEMPTS <= figures.notes["attempts"] <= MAX_ATTEMPTS + NOT_COUNTED
    assert (figures.lost, figures.doubled) == (0, 0)
    assert not figures.circuits
    _the_others_went_on(figures)


@pytest.mark.parametrize("figures", [ENDPOINT], indirect=True, ids=str)
def test_while_confirms_fail_cancels_and_releases_are_done(figures: Figures) -> None:
    assert figures.notes["others not done"] == 0
    assert figures.notes["others s"] < float("inf"), "they waited for the end of the fault"
    assert (figures.lost, figures.doubled, figures.dead_letters) == (0, 0, 0)
    assert figures.circuits == {"confirm"}
    assert figures.open_calls <= figures.open_seconds + 1


def _the_others_went_on(figures: Figures) -> None:
    assert figures.rate_before is not None
    assert figures.rate_after is not None
    assert figures.rate_after > 0.6 * figures.rate_before
