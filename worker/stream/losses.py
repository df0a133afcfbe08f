"""Records that were gone before they were read: never passed over in silence, and counted.

The client library goes on by itself where a log starts (`auto.offset.reset`). What it skipped shows in the offsets: the
next record is not the one that was due, and the log starts behind that one. Where both are as they should be, an offset
that is missing is a hole, of which logs have many (compaction, a transaction's markers).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from confluent_kafka import KafkaException, TopicPartition
from structlog.typing import FilteringBoundLogger

from worker.stream.assignment import Assignment
from worker.stream.client import Client, said
from worker.stream.horizon import skipped
from worker.telemetry import names

LOST = (
    "deleted unread, by the topic's retention or by somebody: have the shop publish these again; "
    "raise retention.ms and retention.bytes, and look at what held the worker up"
)
REWOUND = (
    "the topic was made anew, its log cut short, or the group's offset set beyond its end: it is read from its start; "
    "what the ledger knows is not done again"
)
UNKNOWN = "whether records were deleted unread cannot be told, since the brokers do not say where the log starts"


def _nobody(_: Assignment, __: int, ___: int) -> None: ...


class Losses:
    """`records` counts the offsets that were deleted unread, since the start of the process; `tell` hears of each."""

    def __init__(
        self, log: FilteringBoundLogger, *, ask_seconds: float, tell: Callable[[Assignment, int, int], None] = _nobody
    ) -> None:
        self._log = log
        self._ask_seconds = ask_seconds
        self._tell = tell
        self._lock = threading.Lock()
        self.records = 0

    def jumped(self, client: Client, assignment: Assignment, first: int) -> None:
        """Another record than the expected one came. On the consumer's thread."""
        try:
            expected = self._expected(client, assignment)
            if expected is None:
                return
            if first < expected:
                if assignment.began_at is None:  # else it is only what was seen since, and that had been fetched before
                    self.rewound(assignment, expected, first)
            elif (gone := skipped(expected, first, self._log_start(client, assignment))) is not None:
                self.lost(assignment, *gone)
        except KafkaException as error:
            self._log.error(names.LOG_LOSS_UNKNOWN, **assignment.place, why=said(error.args[0]), mend=UNKNOWN)

    def lost(self, assignment: Assignment, first: int, end: int) -> None:
        """The offsets from `first` to before `end` were deleted unread; what was said before is not said again."""
        with self._lock:
            first = max(first, assignment.lost_to)
            end = end if assignment.end is None else min(end, assignment.end)
            if first >= end:
                return
            assignment.lost_to = end
            self.records += end - first
        self._tell(assignment, first, end)
        span = {"from": first, "to": end}
        self._log.error(names.LOG_RECORDS_LOST, **assignment.place, **span, records=end - first, mend=LOST)

    def rewound(self, assignment: Assignment, expected: int, end: int) -> None:
        """The log does not reach to what was to be read next: said once for each assignment."""
        with self._lock:
            if assignment.rewound:
                return
            assignment.rewound = True
            assignment.lost_to = -1
        self._log.error(names.LOG_REWOUND, **assignment.place, expected=expected, found=end, mend=REWOUND)

    def _expected(self, client: Client, assignment: Assignment) -> int | None:
        if assignment.expected is not None or assignment.commit_known:
            return assignment.expected
        place = TopicPartition(assignment.topic, assignment.partition)
        (answer,) = client.committed([place], timeout=self._ask_seconds)
        if answer.error is not None:
            raise KafkaException(answer.error)
        return answer.offset if answer.offset >= 0 else None

    def _log_start(self, client: Client, assignment: Assignment) -> int:
        """As the last fetch told it; only where none did, the broker is asked."""
        place = TopicPartition(assignment.topic, assignment.partition)
        known = client.get_watermark_offsets(place, cached=True)
        if known is None or known[0] < 0:
            known = client.get_watermark_offsets(place, timeout=self._ask_seconds)
        return known[0]
