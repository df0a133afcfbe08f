"""`rokt-worker topics`: what topics the worker needs, whether they are as they should be, and making those missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.commands.speaking import Cell, Marked, Speech, Table, beside, ends_well, json_option, settings_options
from worker.topics.judging import Fault, Found, faults
from worker.topics.needed import PARTITIONS, REPLICATION, Needed, duration

if TYPE_CHECKING:
    from worker.topics.asking import Administrator, Made

ASK_SECONDS = 10.0


@click.command("topics", short_help="Prints, checks or makes the topics that the worker needs.")
@click.option("--check", is_flag=True, help="Compare with the brokers; exit code 1 when they differ.")
@click.option("--create", is_flag=True, help="Make what is missing; what is there stays as it is.")
@click.option(
    "--partitions",
    type=click.IntRange(1, 10_000),
    default=PARTITIONS,
    show_default=True,
    metavar="N",
    help="Of source and outcomes topics: as many workers can share a topic.",
)
@click.option(
    "--replication",
    type=click.IntRange(1, 100),
    default=REPLICATION,
    show_default=True,
    metavar="N",
    help="How often each record is kept; where there are fewer brokers, as often as there are.",
)
@settings_options
@json_option
@ends_well
def topics(
    check: bool,
    create: bool,
    partitions: int,
    replication: int,
    env_file: Path | None,
    secrets_dir: Path | None,
    as_json: bool,
) -> None:
    """The topics that the worker needs: prints them, compares them with the brokers, makes those that are missing.

    Their names come from WORKER_TOPICS__*. The source topics are the shop's: --create makes them only where there are
    none yet. Dead letters are kept for a year, counted from the event's own time, which a dead letter keeps.

    --create may be run as often as you like, and by several at once: a topic that is there is never changed. --json
    without more says all that other tools (Terraform, Strimzi, ...) need to make them.

    Exit codes: 0 done, and with --check all is well; 1 something is missing, differs or could not be made, with a line
    for each; 2 wrong use or settings.

    \b
    Examples:
      rokt-worker topics --env-file worker.env
      rokt-worker topics --create --replication 1 --env-file worker.env
      rokt-worker topics --check --json --env-file worker.env | jq -r '.[] | select(.faults != []).topic'
    """
    if check and create:
        raise click.UsageError("--check or --create, not both.")
    from worker import loading
    from worker.telemetry import logs
    from worker.topics.from_settings import administrator, needed_by

    settings = loading.load(os.environ, env_file, secrets_dir)
    needed = needed_by(settings, partitions, replication)
    speech = Speech(as_json=as_json)
    if not (check or create):
        speech.answer([_document(topic) for topic in needed], _described(needed))
        return
    log = logs.configure(settings.log.format, settings.log.level)
    asked = beside(lambda: administrator(settings, log, seconds=ASK_SECONDS))
    well = _create(asked, needed, speech) if create else _check(asked, needed, settings.ledger.retention_days, speech)
    sys.exit(0 if well else 1)


def _check(asked: Administrator, needed: Sequence[Needed], ledger_days: int, speech: Speech) -> bool:
    with speech.waiting("asking the brokers"):
        overview = beside(asked.overview)
        found = beside(lambda: asked.found(overview, [topic.name for topic in needed]))
    wrong = faults(needed, found, brokers=overview.brokers, ledger_days=ledger_days)
    speech.answer(
        [_compared(topic, found, [fault for fault in wrong if fault.topic == topic.name]) for topic in needed],
        _actual(needed, found, wrong),
        *([_wrong(wrong)] if wrong else []),
    )
    return not wrong


def _create(asked: Administrator, needed: Sequence[Needed], speech: Speech) -> bool:
    with speech.waiting("making what is missing"):
        overview = beside(asked.overview)
        missing = [topic for topic in needed if topic.name not in overview.topics]
        made = {done.name: done for done in (beside(lambda: asked.make(missing, overview)) if missing else ())}
    speech.answer(
        [{"topic": topic.name, **_became(made.get(topic.name))} for topic in needed],
        Table((), [_line(topic, made.get(topic.name)) for topic in needed]),
    )
    return all(done.error is None for done in made.values())


def _document(topic: Needed) -> dict[str, Any]:
    return {
        "topic": topic.name,
        "role": topic.role,
        "partitions": topic.partitions,
        "replication": topic.replication,
        "config": topic.configs(topic.replication),
    }


def _compared(topic: Needed, found: Mapping[str, Found], wrong: Sequence[Fault]) -> dict[str, Any]:
    there = found.get(topic.name)
    return {
        **_document(topic),
        "found": None if there is None else _found(there),
        "faults": [{"fault": fault.kind, "what": fault.what, "mend": fault.mend} for fault in wrong],
    }


def _found(there: Found) -> dict[str, Any]:
    counted = {"partitions": there.partitions, "replication": there.replication}
    kept = there.settings
    if kept is None:
        return counted
    return counted | {
        "retention_ms": kept.retention_ms,
        "cleanup_policy": kept.cleanup,
        "max_message_bytes": kept.max_message_bytes,
    }


def _became(made: Made | None) -> dict[str, Any]:
    if made is None or made.already:
        return {"state": "was there"}
    return {"state": "made"} if made.error is None else {"state": "failed", "what": made.error, "mend": made.mend}


def _described(needed: Sequence[Needed]) -> Table:
    rows: list[list[Cell]] = [
        [t.name, t.role, t.partitions, t.replication, duration(t.retention_ms), "delete"] for t in needed
    ]
    return Table(("topic", "role", "partitions", "replication", "retention", "cleanup"), rows)


def _actual(needed: Sequence[Needed], found: Mapping[str, Found], wrong: Sequence[Fault]) -> Table:
    return Table(
        ("state", "topic", "role", "partitions", "replication", "retention", "cleanup"),
        [_there(topic, found.get(topic.name), bad=any(f.topic == topic.name for f in wrong)) for topic in needed],
    )


def _there(topic: Needed, found: Found | None, *, bad: bool) -> list[Cell]:
    mark = Marked("differs", "doubtful") if bad else Marked("ok", "good")
    if found is None or found.hidden:
        return [Marked("missing" if found is None else "hidden", "bad"), topic.name, topic.role, "-", "-", "-", "-"]
    kept = found.settings
    told = ("?", "?") if kept is None else (duration(kept.retention_ms), kept.cleanup)
    return [mark, topic.name, topic.role, found.partitions, found.replication, *told]


def _wrong(wrong: Sequence[Fault]) -> Table:
    return Table((), [[fault.topic, f"{fault.what}; mend: {fault.mend}"] for fault in wrong])


def _line(topic: Needed, made: Made | None) -> list[Cell]:
    if made is None or made.already:
        return [Marked("was there", "quiet"), topic.name, ""]
    if made.error is None:
        return [Marked("made", "good"), topic.name, ""]
    return [Marked("failed", "bad"), topic.name, f"{made.error}; mend: {made.mend}"]
