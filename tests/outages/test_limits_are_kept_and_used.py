"""Rokt takes so many calls a second, or the fleet may make so many: neither is passed, and both are used."""

from __future__ import annotations

import pytest

from outages.figures import Figures
from outages.outage import FULL_SECONDS, TOLERANCE_SECONDS
from outages.scarcity import ALLOWED, CAP, FLEET, LIMIT
from outages.stage import LONG

# The marks are for a machine that does nothing else: on a busy one calls go late, and are refused, or come together.
SHARE = 0.9 if LONG else 0.5
BUNCHED = 0 if LONG else 4

pytestmark = pytest.mark.timeout(3_600 if LONG else 180)


@pytest.mark.parametrize("figures", [LIMIT], indirect=True, ids=str)
def test_nine_tenths_of_the_calls_that_rokt_takes_are_made_within_ten_seconds(figures: Figures) -> None:
    assert (figures.lost, figures.doubled, figures.dead_letters) == (0, 0, 0)
    assert figures.full_after is not None
    assert figures.full_after <= FULL_SECONDS + TOLERANCE_SECONDS
    assert figures.rate_after is not None
    assert figures.rate_after >= SHARE * ALLOWED


@pytest.mark.parametrize("figures", [FLEET], indirect=True, ids=str)
def test_no_second_has_more_calls_than_the_fleet_may_make(figures: Figures) -> None:
    assert (figures.lost, figures.doubled, figures.dead_letters) == (0, 0, 0)
    assert figures.notes["surely in a second"] <= CAP + BUNCHED
