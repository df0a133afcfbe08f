"""Where no broker searches by time, the records' own times tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE, Message

from worker.replay.scanning import Seen, Sought, Span, look


class Record:
    """What a scan looks at of a message."""

    def __init__(self, offset: int, ms: int | None) -> None:
        self._offset, self._ms = offset, ms

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, Any]:
        return (TIMESTAMP_NOT_AVAILABLE, 0) if self._ms is None else (TIMESTAMP_CREATE_TIME, self._ms)


def seen(times: Sequence[int | None], since: int, until: int | None, start: int = 0) -> tuple[Seen, int]:
    """What a scan of a log finds, and how many records it looked at."""
    log = Span(start, start + len(times))
    found = Seen(Span(log.end, log.end))
    for looked, ms in enumerate(times, 1):
        if look(found, cast("Message", Record(start + looked - 1, ms)), log, Sought(since, until)):
            return found, looked
    return found, len(times)


@pytest.mark.parametrize(
    ("times", "since", "until", "span"),
    [
        ([1, 2, 3, 4], 2, 4, (1, 3)),
        ([1, 2, 3, 4], 0, None, (0, 4)),
        ([1, 2, 3, 4], 3, None, (2, 4)),
        ([1, 2, 3, 4], 5, None, (4, 4)),
        ([1, 2, 3, 4], 5, 9, (4, 4)),
        ([1, 2, 3, 4], 2, 9, (1, 4)),
        ([1, 9, 3, 4], 2, 5, (1, 1)),
        ([1, 4, 3, 9], 4, 5, (1, 3)),
        ([None, 2, None, 4], 2, 4, (1, 3)),
    ],
)
def test_a_stretch_is_from_the_first_of_one_time_to_the_first_of_the_other(
    times: list[int | None], since: int, until: int | None, span: tuple[int, int]
) -> None:
    found, _ = seen(times, since, until)
    assert found.span == span


def test_no_more_is_looked_at_than_has_to_be() -> None:
    assert seen([1, 2, 3, 4], 2, None)[1] == 2
    assert seen([1, 2, 3, 4], 1, 3)[1] == 3


def test_a_log_that_begins_later_keeps_its_offsets_and_tells_the_time_of_its_first() -> None:
    found, _ = seen([5, 6, 7], 6, None, start=100)
    assert (found.span, found.first_ms) == ((101, 103), 5)
