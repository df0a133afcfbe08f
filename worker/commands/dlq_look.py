"""`rokt-worker dlq list` and `show`: what failed and why. They change nothing."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.commands import dlq_screen as screen
from worker.commands.dlq_options import PlaceType, filter_options, settings_from, states_of
from worker.commands.speaking import Shown, Speech, ends_well, json_option, settings_options

if TYPE_CHECKING:
    from worker.dlq.filters import Filters
    from worker.dlq.letter import Place

EACH = 50
MOST = 10_000


@click.command("list", short_help="How many there are, by topic, reason, operation, status and age.")
@filter_options
@click.option(
    "--state",
    type=click.Choice(("open", "redriven", "discarded", "all")),
    default="open",
    show_default=True,
    help="What became of it.",
)
@click.option("--each", is_flag=True, help="A line for each letter, too, the newest first.")
@click.option(
    "--limit", type=click.IntRange(1, MOST), default=EACH, show_default=True, metavar="N", help="Of --each, at most."
)
@settings_options
@json_option
@ends_well
def list_letters(
    filters: Filters,
    state: str,
    each: bool,
    limit: int,
    env_file: Path | None,
    secrets_dir: Path | None,
    as_json: bool,
) -> None:
    """Counts dead letters by topic, reason, operation and HTTP status, with the age of the oldest and the newest.

    PLACE is a letter's topic/partition/offset. Options narrow the letters down; one that is given several times admits
    any of its values. Letters of other groups, and records that are no letters, are counted apart.

    It reads the whole of the dead-letter topics (a million letters take about a minute, and no memory to speak of),
    changes nothing, and may run beside workers.

    Exit codes: 0 told, also when there are none; 1 the ledger or the brokers cannot be read; 2 wrong use or settings.

    \b
    Examples:
      rokt-worker dlq list
      rokt-worker dlq list --each --reason rejected --status 422 --since 2026-11-20
      rokt-worker dlq list --state all --json | jq '.states'
    """
    from worker.dlq import document
    from worker.dlq.asking import Asked
    from worker.dlq.listing import listed

    settings, speech, states = settings_from(env_file, secrets_dir), Speech(as_json=as_json), states_of(state)
    with speech.waiting("reading") as tell:
        found = asyncio.run(listed(Asked(filters, states), limit if each else None, settings, tell))
    told = document.counted(found.counts, int(time.time() * 1000)) | {"records": found.extent.offsets}
    shown: list[Shown] = screen.counted(told, states)
    if found.each is not None:
        told |= {"letters": found.each}
        if found.each:
            shown = [screen.each(found.each), "", screen.summary(told)]
    speech.answer(told, *shown)
    for remark in found.remarks:
        speech.remark(remark)
    asked_for = sum(found.counts.states[each_state] for each_state in states)
    if found.each is not None and len(found.each) < asked_for:
        speech.remark(f"The newest {len(found.each):,} of {asked_for:,} are listed; --limit lists more.")


@click.command("show", short_help="One dead letter: why, what is in it, and the mend.")
@click.argument("place", type=PlaceType(), metavar="PLACE")
@settings_options
@json_option
@ends_well
def show(place: Place, env_file: Path | None, secrets_dir: Path | None, as_json: bool) -> None:
    """One dead letter: why it was given up, what is in it, what the ledger knows of its calls now, and what to do.

    PLACE is its topic/partition/offset, as `list --each` prints it. Prices, attributes, sessions, the values of the
    shop's own headers, and a key that is no id of the event are not shown; of Rokt's answer, what it says and not what
    it quotes.

    Exit codes: 0 told; 1 there is no such letter, or the ledger or the brokers cannot be read; 2 wrong use or settings.

    \b
    Example:
      rokt-worker dlq show checkout-completed.dlq/0/42
    """
    from worker.dlq.showing import shown

    settings, speech = settings_from(env_file, secrets_dir), Speech(as_json=as_json)
    with speech.waiting("reading"):
        told = asyncio.run(shown(place, settings))
    speech.answer(told, *screen.letter(told))
