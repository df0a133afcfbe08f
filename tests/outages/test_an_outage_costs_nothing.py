"""Rokt is down, slow, broken or not to be found: whatever it is, it costs no event, and no more calls than it must."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from outages.figures import Figures
from outages.outage import OUTAGES, TOLERANCE_SECONDS, Outage
from outages.stage import LONG

pytestmark = pytest.mark.timeout(3_600 if LONG else 180)


def over(outages: Iterable[Outage]) -> pytest.MarkDecorator:
    """Both the outage and what it came to."""
    marks = {"kafka": [pytest.mark.real_kafka], "embedded": []}
    given = [pytest.param(outage, outage, id=outage.name, marks=marks[outage.broker]) for outage in outages]
    return pytest.mark.parametrize(("outage", "figures"), given, indirect=["figures"])


def those(chosen: Callable[[Outage], bool]) -> pytest.MarkDecorator:
    return over(outage for outage in OUTAGES if chosen(outage))


@over(OUTAGES)
def test_no_event_is_lost_doubled_or_given_up(outage: Outage, figures: Figures) -> None:
    assert figures.events > 0
    assert (figures.lost, figures.doubled) == (0, 0)
    assert figures.dead_letters <= outage.dead_at_most, figures.dead


@those(lambda outage: outage.opens not in {None, ""})
def test_it_opens_its_circuit_and_no_other(outage: Outage, figures: Figures) -> None:
    assert figures.circuits == {outage.opens}


@those(lambda outage: outage.opens == "")
def test_what_is_no_outage_opens_none(outage: Outage, figures: Figures) -> None:
    assert not figures.circuits


@those(lambda outage: outage.opens != "")
def test_while_a_circuit_is_open_it_lets_one_call_a_second_through_at_most(outage: Outage, figures: Figures) -> None:
    assert figures.open_calls <= figures.open_seconds + 1


@over(OUTAGES)
def test_nine_tenths_of_what_rokt_allows_are_back_in_time(outage: Outage, figures: Figures) -> None:
    assert figures.full_after is not None, f"{figures.rate_before} a second never came again"
    assert figures.full_after <= outage.full_seconds + TOLERANCE_SECONDS
