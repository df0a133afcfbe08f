"""One assigned partition, for as long as this member has it.

The consumer's thread makes it when the partition is assigned and forgets it when it is revoked: what a former
assignment still reports is seen by nobody, so a completion from it is never committed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from worker.frontier import Frontier
from worker.handover import Handover
from worker.record import Record
from worker.stopping import Stop
from worker.stream.pauses import UNKNOWN
from worker.work import Work

NOTHING_HANDED_OVER = Handover()


class Assignment:
    """A partition's records that are read and not settled, and how far it is settled.

    The consumer's thread calls `fetch`, reads `to_commit`, `vouched_ms`, `passed`, `gap` and `bytes`, and alone writes
    `last_fetched`, `next_offset`, `newest_ms`, `committed`, `over`, `log_end`, `log_high` and `paused_for`. `lost_to`
    and `rewound` are what was said of records that are gone (worker/stream/losses.py). All else belongs to the event
    loop.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        handover: Handover = NOTHING_HANDED_OVER,
        *,
        next_offset: int | None = None,
        commit_known: bool = True,
        end: int | None = None,
    ) -> None:
        """`next_offset` is what the group committed; None: nothing, or it is not known.

        `began_at` is then where its log was seen to start. Only what is below `end` is taken, if there is one; it is
        `over` when that is reached; `log_end` is where the log was seen to end before. `log_high` is where the last
        fetch saw it end, whether it has such an end or not.
        """
        self.topic = topic
        self.partition = partition
        self.next_offset = next_offset
        self.commit_known = commit_known
        self.end = end
        self.over = False
        self.log_end: int | None = None
        self.log_high: int | None = None
        self.began_at: int | None = None
        self.newest_ms: int | None = None
        self.lost_to = -1
        self.rewound = False
        self.last_fetched = -1
        self.committed: tuple[int, frozenset[int]] | None = None
        self._nothing_before: int | None = None
        self._handover = handover
        self._handover_end = max(handover.settled, default=-1)
        self._last_read = -1
        self.paused_for = UNKNOWN
        self.stop = Stop()
        self.defective = False
        self.unread: deque[Record] = deque()
        self.in_hand: dict[int, tuple[Work, float]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.reading: asyncio.Task[None] | None = None
        self._frontier = Frontier()
        self._records_fetched = 0
        self._bytes_fetched = 0
        self._bytes_settled = 0

    @property
    def place(self) -> dict[str, str | int]:
        """Which one it is, for the log."""
        return {"topic": self.topic, "partition": self.partition}

    @property
    def expected(self) -> int | None:
        """The offset that is to be read next, if there are no holes; None while it is not known."""
        following = self.next_offset
        return self.began_at if following is None else following

    @property
    def committable(self) -> int | None:
        """The offset below which all is settled; None before the first is."""
        return self._frontier.committable

    @property
    def settled_to(self) -> int | None:
        """Where what is settled without a hole ends: nothing of that is lag. None while that is not known."""
        return self._frontier.settled_to if self.gap else self.expected

    @property
    def passed(self) -> int:
        """How many records are below what may be committed."""
        return self._frontier.passed

    @property
    def to_commit(self) -> tuple[int, frozenset[int]] | None:
        """The offset that may be committed, and those above it that are settled; None before the first record.

        Among them are those that an earlier owner settled and that are not read again yet: the next one is to know.
        What is settled up to the log's end is so up to behind its marks, or they would pass for records once deleted.
        """
        unread = self._unread_of_handover()  # first, so that what is read meanwhile stands in both and not in neither
        due = self._frontier.to_commit()
        upto = self._nothing_before
        if upto is not None and self.gap == 0 and (due is None or due[0] < upto):
            return upto, frozenset(offset for offset in unread if offset >= upto)
        return None if due is None else (due[0], due[1] | unread)

    @property
    def vouched_ms(self) -> int | None:
        """The moment (milliseconds since 1970) up to which an earlier owner's word holds that is still passed on.

        It is older than now: what was given such an offset anew since then must not pass for settled.
        """
        return self._handover.at_ms if self._unread_of_handover() else None

    @property
    def gap(self) -> int:
        """How many records were fetched and are not passed by what may be committed."""
        return self._records_fetched - self._frontier.passed

    @property
    def bytes(self) -> int:
        """How much of what was fetched is not settled."""
        return self._bytes_fetched - self._bytes_settled

    def nothing_before(self, offset: int) -> None:
        """The log ends here for now, and all of it was read: behind the last record may stand a transaction's mark."""
        if self.expected is not None and self.expected < offset:
            self._nothing_before = offset
        if self.next_offset is None or self.next_offset < offset:
            self.next_offset = offset

    def reached(self, offset: int) -> None:
        """Whatever is there below this offset was fetched."""
        if self.end is not None and offset >= self.end:
            self.over = True

    def up_to_its_end(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those of what came that are to be taken."""
        if self.end is None or records[-1].offset < self.end:
            return records
        return [record for record in records if record.offset < (self.end or 0)]

    def fetch(self, records: Sequence[Record]) -> None:
        """Counts records at once as they are fetched: what waits for the event loop is in hand too."""
        self.last_fetched = records[-1].offset
        self.next_offset = self.last_fetched + 1
        self.newest_ms = records[-1].timestamp_ms
        self._records_fetched += len(records)
        self._bytes_fetched += sum(record.size for record in records)

    def read(self, record: Record) -> None:
        """Takes a record that was fetched; one that an earlier owner has settled is settled at once."""
        self._frontier.read(record.offset)
        if record.offset < self._handover.base:
            self._handover = NOTHING_HANDED_OVER  # read from elsewhere than was committed: another log, or a reset
        if self._handover.covers(record.offset, record.timestamp_ms):
            self._bytes_settled += record.size
            self._frontier.settle(record.offset)
        else:
            self.unread.append(record)
        self._last_read = record.offset  # last, so that what was handed over is not missed meanwhile

    def settled(self, record: Record) -> None:
        """A record is settled."""
        del self.in_hand[record.offset]
        self._bytes_settled += record.size
        self._frontier.settle(record.offset)

    def blocking(self) -> tuple[Work, float] | None:
        """The work that all others of the partition wait for, and when it was read (monotonic seconds)."""
        oldest = self._frontier.oldest
        return self.in_hand.get(oldest) if oldest is not None else None

    def oldest(self) -> Record | None:
        """The oldest record that is read and not settled."""
        offset = self._frontier.oldest
        if offset is None:
            return None
        if (held := self.in_hand.get(offset)) is not None:
            return held[0].record
        return self.unread[0] if self.unread and self.unread[0].offset == offset else None

    def _unread_of_handover(self) -> frozenset[int]:
        handover, last = self._handover, self._last_read
        if last >= self._handover_end:
            return NOTHING_HANDED_OVER.settled
        return frozenset(offset for offset in handover.settled if offset > last)
