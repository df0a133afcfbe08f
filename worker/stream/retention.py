"""The retention clock: how long until what is not processed yet is deleted, said in time.

It looks now and then, on a thread of its own; what it finds is decided in worker/stream/horizon.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from worker.events import instant, rfc3339
from worker.stream import horizon
from worker.stream.assignment import Assignment
from worker.stream.cluster import Kept, Untold
from worker.stream.commits import Partition
from worker.stream.horizon import Log, Look, Place
from worker.stream.losses import Losses
from worker.stream.pauses import UNKNOWN
from worker.telemetry import names

T = TypeVar("T")

SETTINGS_SECONDS: Final = 300.0
NEAR = "mend what holds the partition up (kafka.stalled, kafka.paused), or raise the topic's retention.ms, until then"
ONLY_IN_HAND = "let this process run until it has settled it: ended before, it is lost; mend what it waits for"


class Keeper(Protocol):
    """Who keeps the topics; each call waits for its answer."""

    def logs(self, partitions: Collection[Partition]) -> dict[Partition, Log | Untold]:
        """Where each log starts and ends."""

    def retention(self, topics: Collection[str]) -> dict[str, Kept | Untold]:
        """How long each topic keeps its records."""


class Retention:
    """The clock of all assigned partitions, on the event loop.

    `left_seconds` is the smallest time left as of the last look; None where nothing waits, or it is not known.
    `log_ends` is where the logs ended then, of those assignments alone: the topic may have been made anew since.
    `clock` gives monotonic seconds, `now_ms` milliseconds since 1970. `from_start`: what has no commit is begun at its
    start.
    """

    def __init__(
        self,
        keeper: Keeper,
        assignments: Callable[[], Sequence[Assignment]],
        losses: Losses,
        *,
        check_seconds: float,
        warn_share: float,
        from_start: bool,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        log: FilteringBoundLogger,
    ) -> None:
        self._keeper = keeper
        self._assignments = assignments
        self._losses = losses
        self._check_seconds = check_seconds
        self._warn_share = warn_share
        self._from_start = from_start
        self._clock = clock
        self._now_ms = now_ms
        self._log = log
        self._looks: dict[Partition, Look] = {}
        self._kept: dict[str, Kept | Untold] = {}
        self._ask_again_at = 0.0
        self._said: set[tuple[str, str]] = set()
        self.log_ends: Mapping[Assignment, int] = {}
        self.left_seconds: float | None = None

    async def watch(self) -> None:
        """Looks until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception:  # a defect here is none of the events'
                self._log.exception(names.LOG_RETENTION_UNKNOWN, what="all", why="a defect of ours")
            await asyncio.sleep(self._check_seconds)

    async def look(self) -> None:
        """Looks once at all that is assigned."""
        assigned = {(a.topic, a.partition): a for a in self._assignments()}
        await self._ask_retention({topic for topic, _ in assigned})
        logs = await _in_thread(partial(self._keeper.logs, list(assigned))) if assigned else {}
        looks: dict[Partition, Look] = {}
        ends: dict[Assignment, int] = {}
        for assignment in self._assignments():
            partition = assignment.topic, assignment.partition
            if assigned.get(partition) is assignment:
                log = self._told("where the log starts", logs[partition], assignment.topic)
                looks[partition] = self._look_at(assignment, log)
                if log is not None:
                    ends[assignment] = log.end
        self._looks, self.log_ends = looks, ends
        left = [look.waiting.left_ms for look in looks.values() if look.waiting and look.waiting.left_ms is not None]
        self.left_seconds = min(left) / 1000 if left else None

    def _look_at(self, assignment: Assignment, log: Log | None) -> Look:
        partition = assignment.topic, assignment.partition
        before = self._looks.get(partition)
        kept = self._kept.get(assignment.topic)
        retention_ms = kept.ms if isinstance(kept, Kept) else None
        if log is not None and self._from_start and assignment.commit_known and assignment.began_at is None:
            assignment.began_at = log.start
        place = _place(assignment)
        now = horizon.look(place, log, retention_ms, self._now_ms())
        if log is not None:
            if (gone := horizon.lost(before, place, log)) is not None:
                self._losses.lost(assignment, *gone)
            if place.next is not None and horizon.rewound(before, place, log):
                self._losses.rewound(assignment, place.next, log.end)
            if horizon.only_in_hand(before, now, log):
                self._log.error(
                    names.LOG_IN_HAND_ONLY, **assignment.place, offset=place.oldest, start=log.start, mend=ONLY_IN_HAND
                )
                return now
        level = horizon.alarm(before, now, retention_ms, self._warn_share)
        if level is not None and now.waiting is not None and now.waiting.left_ms is not None:
            self._say_near(level, assignment, now.waiting.offset, now.waiting.left_ms)
        return now

    def _say_near(self, level: horizon.Level, assignment: Assignment, offset: int, left_ms: int) -> None:
        say = self._log.error if level == "error" else self._log.warning
        say(
            names.LOG_RETENTION_NEAR,
            **assignment.place,
            offset=offset,
            left_seconds=left_ms / 1000,
            deleted_from=rfc3339(instant(self._now_ms() + left_ms)),
            mend=NEAR,
        )

    async def _ask_retention(self, topics: set[str]) -> None:
        if not topics or (topics <= self._kept.keys() and self._clock() < self._ask_again_at):
            return
        self._ask_again_at = self._clock() + SETTINGS_SECONDS
        for topic, answer in (await _in_thread(partial(self._keeper.retention, sorted(topics)))).items():
            told = self._told("retention.ms", answer, topic)
            if told is not None or topic not in self._kept:
                self._kept[topic] = answer

    def _told(self, what: str, answer: T | Untold, topic: str) -> T | None:
        """The answer; why there is none is said once."""
        if not isinstance(answer, Untold):
            return answer
        if (what, topic) not in self._said:
            self._said.add((what, topic))
            self._log.info(names.LOG_RETENTION_UNKNOWN, topic=topic, what=what, why=answer.why)
        return None


def _place(assignment: Assignment) -> Place:
    paused = bool(assignment.paused_for) and assignment.paused_for != UNKNOWN  # first: what comes after it is not late
    oldest = assignment.oldest()
    return Place(
        oldest=None if oldest is None else oldest.offset,
        next=assignment.expected,
        timestamp_ms=assignment.newest_ms if oldest is None else oldest.timestamp_ms,
        paused=paused,
    )


async def _in_thread(call: Callable[[], T]) -> T:
    """The call's result; its thread is one that nobody waits for at the end: brokers may not answer."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error is not None else answer.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = call()
        except Exception as error:  # handed over whole
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name="kafka-retention", daemon=True).start()
    return await answer
