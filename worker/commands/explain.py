"""`rokt-worker explain`: what happened to one customer's order."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.commands.moments import Moment
from worker.commands.speaking import Shown, Speech, Table, ends_well, json_option, settings_options

if TYPE_CHECKING:
    from worker.explain.screen import Section


@click.command("explain")
@click.argument("id_", metavar="ID")
@click.option("--topics", is_flag=True, help="Look into the topics too: source events, outcomes, dead letters.")
@click.option("--since", type=Moment(), metavar="TIME", help="How far back to look. Default: all that the ledger has.")
@settings_options
@json_option
@ends_well
def explain(
    id_: str, topics: bool, since: int | None, as_json: bool, env_file: Path | None, secrets_dir: Path | None
) -> None:
    """Everything that is known of ID, in time order: a cart, order, reservation, event, idempotency key or trace.

    It is told from the ledger, which is only read; workers may run. With the calls that ID names come all others of
    their carts and orders: what was asked of Rokt, how often, what it answered, what is in flight now, what is called
    off, what waits and for what. Prices and customers' attributes are not shown.

    --topics reads on the brokers what the ledger does not keep, from where the story begins (or --since) up to what is
    there now: dead letters with their reasons, outcomes, and the events themselves. It joins no group.

    Settings are those of the worker. WORKER_TRACING__LINK, such as https://jaeger.example/trace/{trace_id}, makes links
    of trace ids.

    Exit codes: 0 told, 1 nothing is known of ID, or the ledger or the topics cannot be read, 2 wrong use or settings.

    \b
    Example:
      rokt-worker explain order-4711 --topics
      rokt-worker explain 0af7651916cd43dd8448eb211c80319c --json | jq '.calls[].status'
    """
    from worker import loading
    from worker.explain.explaining import Question, explained

    if not id_.strip():
        raise click.UsageError("ID is empty.")
    settings, speech = loading.load(os.environ, env_file, secrets_dir), Speech(as_json=as_json)
    with speech.waiting("the ledger") as tell:
        answer = asyncio.run(explained(Question(id_, topics, since), settings, tell))
    speech.answer(answer.document, *shown(answer.sections))
    for remark in answer.remarks:
        speech.remark(remark)
    sys.exit(0 if answer.known and answer.whole else 1)


def shown(sections: Sequence[Section]) -> Iterator[Shown]:
    """Headings over rows."""
    for place, section in enumerate(sections):
        yield f"{chr(10) if place else ''}{section.heading}:"
        yield Table((), section.rows)
