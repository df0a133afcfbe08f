"""Rokt is down for ten minutes, in virtual time: nothing is given up, it is left alone, and all goes on soon after.

The figures are printed: pytest -s.
"""

from __future__ import annotations

import pytest

from simulation.story import CONCURRENCY, OUTAGE_SECONDS, Figures, Story, Trouble
from worker.sandbox.faults import Faults
from worker.sandbox.messages import Operation

RECOVERY_SECONDS = 10.0
DOWN = Faults(errors={503: 1.0})


def told(name: str, story: Story) -> Figures:
    figures = story.figures()
    print(f"\n{name}: {figures}")
    return figures


def hold(figures: Figures) -> None:
    assert (figures.lost, figures.doubled, figures.dead_letters) == (0, 0, 0)
    assert figures.calls <= OUTAGE_SECONDS + CONCURRENCY
    assert figures.recovery is not None
    assert figures.recovery <= RECOVERY_SECONDS


def test_ten_minutes_of_503_at_100_events_a_second() -> None:
    story = Story(Trouble(DOWN), events=100, call_seconds=0.03, before=30.0)
    story.run()
    hold(told("503", story))


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("connections refused", Trouble(refuses=1.0)),
        ("no answer within 10 s", Trouble(Faults(timeout_before=1.0))),
        ("done, and no answer within 10 s", Trouble(Faults(timeout_after=1.0))),
        ("429 with Retry-After", Trouble(Faults(errors={429: 1.0}, retry_after=3))),
        ("429 without Retry-After", Trouble(Faults(errors={429: 1.0}))),
    ],
)
def test_ten_minutes_of_other_troubles(name: str, trouble: Trouble) -> None:
    story = Story(trouble, events=10, call_seconds=0.1)
    story.run()
    hold(told(name, story))


def test_while_confirm_is_down_releases_and_cancels_go_on() -> None:
    story = Story(Trouble(Faults(errors={503: 1.0}, only=(Operation.CONFIRM,))), events=10, call_seconds=0.1)
    story.run()
    figures = told("confirm alone", story)
    hold(figures)
    others = sum(publication.topic != "checkout-completed" for publication, _ in story.published)
    assert figures.others_done >= 0.9 * others
