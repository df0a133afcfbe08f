"""What a topic's retention does to one partition's unprocessed records. Pure: offsets and milliseconds.

A broker deletes whole segments, each once its newest record is older than the retention: the time left until then is
at least what is worked out here. Holes in the offsets (compaction, a transaction's markers) are no loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

URGENT_SHARE = 0.1

Level = Literal["warning", "error"]


@dataclass(frozen=True, slots=True)
class Log:
    """Where a partition's log starts and ends on the broker, as offsets."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far the work on a partition is.

    `oldest` is the offset of the oldest record in hand; `next` the one that is read next, None while it is not known;
    `timestamp_ms` that of the oldest in hand, else of the last one read: what comes next is not older, but for disorder
    among the shop's clocks. `paused`: nothing that was fetched ahead comes any more.
    """

    oldest: int | None
    next: int | None
    timestamp_ms: int | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """The oldest record that is not processed, and in how many milliseconds it may be deleted; None: not known."""

    offset: int
    left_ms: int | None


@dataclass(frozen=True, slots=True)
class Look:
    """A partition at one check: its `place`, and what waits, if anything does."""

    place: Place
    waiting: Waiting | None


def look(place: Place, log: Log | None, retention_ms: int | None, now_ms: int) -> Look:
    """What waits in a partition. `retention_ms` None: for ever, or not known; `log` None: not known."""
    offset = _oldest_unprocessed(place, log)
    if offset is None:
        return Look(place, None)
    if log is not None and offset < log.start:
        return Look(place, Waiting(offset, 0))
    if retention_ms is None or place.timestamp_ms is None:
        return Look(place, Waiting(offset, None))
    return Look(place, Waiting(offset, max(0, place.timestamp_ms + retention_ms - now_ms)))


def alarm(before: Look | None, now: Look, retention_ms: int | None, warn_share: float) -> Level | None:
    """How loudly the time left is to be said, if at all.

    A partition that goes on is fine, however old its records are: a backlog that is caught up with has more time left
    at each check. One that stands still is named in time; one that moves, and yet has ever less time left, when less
    than a tenth of the retention is left: it loses the race.
    """
    if before is None or before.waiting is None or now.waiting is None:
        return None
    was, left = before.waiting.left_ms, now.waiting.left_ms
    if retention_ms is None or left is None or left >= warn_share * retention_ms:
        return None
    urgent = left < URGENT_SHARE * retention_ms
    if now.waiting.offset == before.waiting.offset:
        return "error" if urgent else "warning"
    return "error" if urgent and was is not None and left < was else None


def only_in_hand(before: Look | None, now: Look, log: Log) -> bool:
    """Whether the record that holds up a partition is deleted already: it exists in this process and nowhere else."""
    stuck = before is not None and before.place.oldest == now.place.oldest
    return stuck and now.place.oldest is not None and now.place.oldest < log.start


def lost(before: Look | None, place: Place, log: Log) -> tuple[int, int] | None:
    """The offsets, from the first to behind the last, that were deleted before they were read.

    While a partition is read, what is deleted may have been fetched ahead and come yet; not so if it still has not come
    by the next check.
    """
    if place.next is None or place.next >= log.start:
        return None
    return (place.next, log.start) if place.paused or _still(before, place) else None


def rewound(before: Look | None, place: Place, log: Log) -> bool:
    """Whether the log ends before the place that is read next, at two checks: it is another log, or was cut short."""
    return place.next is not None and place.next > log.end and _still(before, place)


def skipped(expected: int, first: int, log_start: int) -> tuple[int, int] | None:
    """What was deleted unread when `first` came where `expected` was to come; None for a hole."""
    return (expected, min(first, log_start)) if log_start > expected else None


def _oldest_unprocessed(place: Place, log: Log | None) -> int | None:
    if place.oldest is not None:
        return place.oldest
    if log is None or place.next is None or place.next >= log.end:
        return None
    return max(place.next, log.start)


def _still(before: Look | None, place: Place) -> bool:
    return before is not None and before.place.next == place.next
