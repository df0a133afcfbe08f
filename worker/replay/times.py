"""Which offsets of which partitions lie between two times, as the brokers say, or as the records themselves do.

Blocking: for a thread of its own. It joins no group. A broker that cannot search by time (the embedded one) is read
from the start of its logs until a record of that time comes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from worker.errors import CannotReplay
from worker.replay.plan import Cut, Partition, Stretch, Wanted, moment
from worker.replay.scanning import Sought, Span, scan
from worker.stream.client import said
from worker.topics.asking import ELSEWHERE, MENDS, Administrator, BrokersUnavailable, Overview

EARLIEST_MS: Final = 1
NAMED: Final = 5

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """The stretches, without the empty ones, and the logs that begin too late; `remarks` are for a person."""

    stretches: tuple[Stretch, ...]
    cuts: tuple[Cut, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _First:
    """The first record of a time or later: where it is and its time. A negative offset: there is none."""

    offset: int
    ms: int


def find(
    wanted: Wanted, topics: Collection[str], asked: Administrator, config: Mapping[str, Any], now_ms: int, tell: Tell
) -> Found:
    """The stretches of what is wanted, of these topics where none are named. `config` is a consumer's, with a group id.

    Raises CannotReplay when a topic or a partition is not there, BrokersUnavailable when the brokers do not say.
    """
    tell("asking the brokers")
    overview = asked.overview()
    partitions = _partitions(wanted, sorted(wanted.topics or topics), overview)
    lows = _asked(asked, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
    highs = _asked(asked, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
    logs = {p: Span(lows[p].offset, highs[p].offset) for p in partitions}
    filled = [p for p, log in logs.items() if log.start < log.end]
    firsts = _at(asked, filled, EARLIEST_MS)
    searchable = [p for p in filled if firsts[p].offset >= 0]
    until = None if wanted.until_ms is None or wanted.until_ms > now_ms else wanted.until_ms
    spans = _searched(asked, searchable, logs, wanted.since_ms, until)
    times: dict[Partition, int | None] = {p: firsts[p].ms for p in searchable}
    left = {p: logs[p] for p in filled if p not in spans}
    for partition, sought in scan(config, left, Sought(wanted.since_ms, until), tell, seconds=asked.seconds).items():
        spans[partition], times[partition] = sought.span, sought.first_ms
    stretches = tuple(Stretch(*p, span.start, span.end) for p, span in sorted(spans.items()) if span.start < span.end)
    cuts = tuple(_cuts(logs, spans, times, wanted.since_ms))
    return Found(stretches, cuts, tuple(_remarks(wanted, partitions, logs, stretches, now_ms)))


def _partitions(wanted: Wanted, topics: Collection[str], overview: Overview) -> list[Partition]:
    missing = [topic for topic in topics if topic not in overview.topics]
    if missing:
        raise CannotReplay(
            f"there is no topic {', '.join(missing)}, or this user may not see it",
            "look at --topic and WORKER_TOPICS__*; rokt-worker topics --check compares them with the brokers",
        )
    there = {(topic, number) for topic in topics for number in range(overview.topics[topic][0])}
    named = {(t, number) for topic, number in wanted.partitions for t in ([topic] if topic else topics)}
    if absent := sorted(named - there):
        counts = ", ".join(
            f"{topic} has {_numbers(overview.topics[topic][0])}" for topic in sorted({t for t, _ in absent})
        )
        raise CannotReplay(
            f"there is no partition {_named(absent)}; {counts}", "look at --partition and --topic", wrong_use=True
        )
    return sorted(named or there)


def _searched(
    asked: Administrator,
    searchable: Collection[Partition],
    logs: Mapping[Partition, Span],
    since: int,
    until: int | None,
) -> dict[Partition, Span]:
    """What the brokers say; where there is nothing of a time or later, that is at the log's end."""
    begins = _at(asked, searchable, since)
    ends = {} if until is None else _at(asked, searchable, until)
    spans: dict[Partition, Span] = {}
    for partition in searchable:
        high = logs[partition].end
        places = [each[partition].offset if partition in each else high for each in (begins, ends)]
        start, end = (min(high, offset) if offset >= 0 else high for offset in places)
        spans[partition] = Span(start, end)
    return spans


def _at(asked: Administrator, partitions: Collection[Partition], ms: int) -> dict[Partition, _First]:
    return _asked(asked, partitions, OffsetSpec.for_timestamp(ms))


def _asked(asked: Administrator, partitions: Collection[Partition], spec: OffsetSpec) -> dict[Partition, _First]:
    if not partitions:
        return {}
    places = {partition: TopicPartition(*partition) for partition in partitions}
    answers = asked.admin.list_offsets(dict.fromkeys(places.values(), spec), request_timeout=asked.seconds)
    return {partition: _answered(asked, partition, answers[place]) for partition, place in places.items()}


def _answered(asked: Administrator, partition: Partition, answer: Future[Any]) -> _First:
    told = asked.answer(answer)
    if isinstance(told, KafkaError):
        mend = MENDS.get(told.name(), ELSEWHERE)
        raise BrokersUnavailable(
            f"the brokers do not say where {_named([partition])} begins and ends: {said(told)}", mend
        )
    return _First(int(told.offset), int(told.timestamp))


def _cuts(
    logs: Mapping[Partition, Span], spans: Mapping[Partition, Span], times: Mapping[Partition, int | None], since: int
) -> list[Cut]:
    """Logs that no longer begin with their first record, and of which all that is left is of the time or later."""
    found: list[Cut] = []
    for partition, log in sorted(logs.items()):
        first_ms = times.get(partition)
        begins_late = first_ms is None or (spans[partition].start == log.start and first_ms > since)
        if log.start > 0 and begins_late:
            found.append(Cut(*partition, log.start, first_ms))
    return found


def _remarks(
    wanted: Wanted,
    partitions: Collection[Partition],
    logs: Mapping[Partition, Span],
    stretches: Collection[Stretch],
    now_ms: int,
) -> list[str]:
    said: list[str] = []
    if wanted.until_ms is not None and wanted.until_ms > now_ms:
        said.append(f"--until {moment(wanted.until_ms)} is still to come: the stretch ends with what is there now.")
    full = {stretch.topic for stretch in stretches}
    for topic in sorted({topic for topic, _ in partitions} - full):
        empty = all(log.start == log.end for (name, _), log in logs.items() if name == topic)
        said.append(f"{topic} has no records{'' if empty else ' of this time'}.")
    return said


def _named(partitions: Collection[Partition]) -> str:
    named = [f"{topic}/{number}" for topic, number in sorted(partitions)]
    return ", ".join(named[:NAMED]) + (", ..." if len(named) > NAMED else "")


def _numbers(count: int) -> str:
    return "only partition 0" if count == 1 else f"partitions 0 to {count - 1}"
