"""What is typed after `rokt-worker replay`, checked before anybody is asked: wrong use is said with what is allowed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from worker.replay.plan import NAME, Wanted, derived_name, moment

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, without what says where settings are."""

    since_ms: int
    until_ms: int | None
    topics: tuple[str, ...]
    partitions: tuple[str, ...]
    carts: tuple[str, ...]
    orders: tuple[str, ...]
    dry_run: bool
    rate: float | None
    again: bool
    name: str | None
    beyond_ledger: bool
    report: Path | None


def wanted(options: Options, sources: Collection[str], retention_days: int, now_ms: int) -> Wanted:
    """What is to be replayed; `retention_days` is the ledger's. Raises click.UsageError."""
    _check_times(options, retention_days, now_ms)
    for topic in options.topics:
        _check_topic("--topic", topic, sources)
    for option, ids in (("--cart", options.carts), ("--order", options.orders)):
        if not all(id_.strip() for id_ in ids):
            raise click.UsageError(f"{option} is empty.")
    return Wanted(
        since_ms=options.since_ms,
        until_ms=options.until_ms,
        topics=frozenset(options.topics),
        partitions=frozenset(_partition(text, options.topics or sources) for text in options.partitions),
        carts=frozenset(options.carts),
        orders=frozenset(options.orders),
        again=options.again,
    )


def name_of(options: Options, asked: Wanted) -> str:
    """The replay's name, given or derived. Raises click.UsageError."""
    if options.name is None:
        return derived_name(asked)
    if not NAME.fullmatch(options.name):
        raise click.UsageError(f"--name {options.name!r}: at most 64 letters, digits, '.', '_' and '-'.")
    return options.name


def check_report(path: Path | None) -> None:
    """Whether a report can be written there, before hours are spent on it. Raises click.UsageError."""
    if path is None:
        return
    if path.is_dir():
        raise click.UsageError(f"--report {path}: that is a folder.")
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"--report {path}: there is no folder {path.absolute().parent}.")


def _check_times(options: Options, retention_days: int, now_ms: int) -> None:
    since, until = options.since_ms, options.until_ms
    if since >= now_ms:
        raise click.UsageError(f"--since {moment(since)} is still to come: it is {moment(now_ms)}.")
    if until is not None and until <= since:
        raise click.UsageError(f"--until {moment(until)} is not later than --since {moment(since)}.")
    if since < now_ms - retention_days * DAY_MS and not options.beyond_ledger:
        raise click.UsageError(
            f"--since {moment(since)} is longer ago than the ledger remembers (WORKER_LEDGER__RETENTION_DAYS is "
            f"{retention_days}): calls that succeeded then would be made again, and Rokt may have forgotten them too. "
            f"{moment(now_ms - retention_days * DAY_MS)} and later is safe; --beyond-ledger does it all the same."
        )


def _check_topic(option: str, topic: str, sources: Collection[str]) -> None:
    if topic not in sources:
        raise click.UsageError(f"{option} {topic}: not a source topic; WORKER_TOPICS__* name {', '.join(sources)}.")


def _partition(text: str, topics: Collection[str]) -> tuple[str, int]:
    topic, _, number = text.rpartition("/")
    if not number.isascii() or not number.isdigit():
        raise click.UsageError(f"--partition {text}: a number, or TOPIC/NUMBER.")
    if topic:
        _check_topic("--partition", topic, topics)
    return topic, int(number)
