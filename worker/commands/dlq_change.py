"""`rokt-worker dlq redrive` and `discard`: put it back, or put it aside."""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.commands import dlq_screen as screen
from worker.commands.dlq_options import filter_options, named, settings_from, states_of
from worker.commands.speaking import INTERRUPTED, Speech, ends_well, json_option, leave, settings_options

if TYPE_CHECKING:
    from worker.dlq.filters import Filters


@click.command("redrive", short_help="Puts dead letters back, through the worker's own path.")
@filter_options
@click.option("--all", "everything", is_flag=True, help="Every letter, as without any option.")
@click.option(
    "--state",
    type=click.Choice(("open", "discarded")),
    default="open",
    show_default=True,
    help="Letters that were discarded are left alone, unless they are meant.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be redriven.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="Letters a second, at most.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Letters in all, at most.")
@click.option(
    "--max-redrives",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="Leave alone what was redriven so often before.",
)
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(1),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="End when nothing was settled for so long.",
)
@settings_options
@json_option
@ends_well
def redrive(
    filters: Filters,
    everything: bool,
    state: str,
    dry_run: bool,
    rate: float | None,
    limit: int | None,
    max_redrives: int,
    seconds: float,
    env_file: Path | None,
    secrets_dir: Path | None,
    as_json: bool,
) -> None:
    """Puts dead letters back: each goes the way of its event again, here, in this process.

    Nothing is written into the shop's topics, which others read. The ledger decides as ever: a call that succeeded
    meanwhile is not made again. One that was rejected is made under a key of its own, of one that was taken in part
    only the rest, one of unknown outcome under the same key.

    PLACE and options narrow the letters down; without any, every open one of this group is meant. Those that come while
    it runs are not. A letter that fails again is dead-lettered again: as a new letter, which counts how often it was
    redriven. The old one is redriven either way, and a second redrive does nothing to it.

    It may run beside workers and other redrives, and be stopped at any moment (SIGTERM or Ctrl-C: what is in hand has
    WORKER_SHUTDOWN__DRAIN_SECONDS to settle; a second one leaves at once): run again, it goes on. While Rokt is down or
    refuses the credentials it waits, says so, and ends after --timeout; so it does when as many in a row as
    WORKER_CIRCUIT__REJECTIONS (50) are refused again, since then the cause is not mended.

    Exit codes: 0 done, also when some failed again or there was nothing to do; 1 it did not get to the end; 2 wrong use
    or settings; 130 stopped.

    \b
    Examples:
      rokt-worker dlq redrive checkout-completed.dlq/0/42
      rokt-worker dlq redrive --reason rejected --status 404 --since 2026-11-20 --dry-run
      rokt-worker dlq redrive --rate 20 --json | jq '.results'
    """
    from worker import loading
    from worker.dlq import document
    from worker.dlq.asking import Asked
    from worker.dlq.redriving import Terms, redriven, would_be
    from worker.telemetry import logs

    named(filters, everything=everything, needed=False)
    settings, speech = settings_from(env_file, secrets_dir), Speech(as_json=as_json)
    asked, terms = Asked(filters, states_of(state)), Terms(rate, limit, max_redrives, seconds)
    with speech.waiting("reading") as tell:
        if dry_run:
            report = asyncio.run(would_be(asked, terms, settings, tell))
        else:
            loading.telemetry(os.environ, env_file)
            log = logs.configure("console" if speech.to_people else settings.log.format, "error")
            report = redriven(asked, terms, settings, log, tell)
    told = {"dryRun": dry_run} | document.redriven(report) | {"before": document.counted(report.counts, now_ms())}
    speech.answer(told, *(screen.would_be(told, states_of(state)) if dry_run else screen.redriven(told)))
    if not dry_run:
        leave(INTERRUPTED if report.ended == "stopped" else 0 if report.whole else 1)


@click.command("discard", short_help="Puts dead letters aside for good, with a reason.")
@filter_options
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--because", required=True, metavar="TEXT", help="Why; it is remembered with the letter.")
@click.option("--by", metavar="NAME", help="Who decided so. Default: who runs this.")
@click.option("--dry-run", is_flag=True, help="Only say what would be discarded.")
@settings_options
@json_option
@ends_well
def discard(
    filters: Filters,
    everything: bool,
    because: str,
    by: str | None,
    dry_run: bool,
    env_file: Path | None,
    secrets_dir: Path | None,
    as_json: bool,
) -> None:
    """Puts open dead letters aside: no redrive takes them any more, unless it is asked to (--state discarded).

    Who, when and why is remembered in the ledger's database, and shown by `list --state discarded` and `show`. Nothing
    is deleted from Kafka. Which letters are meant has to be said: by PLACE, by options, or by --all.

    Exit codes: 0 done, also when there was nothing to do; 1 the ledger or the brokers failed: do it again, nothing is
    discarded twice; 2 wrong use or settings.

    \b
    Examples:
      rokt-worker dlq discard checkout-completed.dlq/0/42 --because "a test of the shop"
      rokt-worker dlq discard --reason invalid --until 2026-11-20 --because "published again" --dry-run
    """
    from worker.dlq import document
    from worker.dlq.asking import Asked
    from worker.dlq.discarding import discarded

    named(filters, everything=everything, needed=True)
    if not because.strip():
        raise click.UsageError("--because is empty: say why, for whoever asks later.")
    settings, speech, who = settings_from(env_file, secrets_dir), Speech(as_json=as_json), by or _person()
    with speech.waiting("reading") as tell:
        done = asyncio.run(
            discarded(Asked(filters, ("open",)), settings, tell, by=who, because=because.strip(), dry_run=dry_run)
        )
    counts = document.counted(done.counts, now_ms())
    told = {"dryRun": dry_run, "discarded": 0 if dry_run else done.letters, "by": who, "because": because.strip()}
    letters = "1 dead letter" if done.letters == 1 else f"{done.letters:,} dead letters"
    said = f"{letters} would be discarded; nothing was changed." if dry_run else f"{letters} discarded by {who}."
    if not done.letters:
        said = f"Nothing to do: {screen.summary(counts)}"
    speech.answer(told | {"before": counts}, *screen.counted(counts, ("open",))[: 1 if counts["kinds"] else 0], said)


def _person() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return f"uid {os.getuid()}"


def now_ms() -> int:
    """By this machine's clock."""
    return int(time.time() * 1000)
