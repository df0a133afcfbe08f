"""`rokt-worker placements`: would Rokt show anything there?"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.commands.placements_options import Attribute, Discreet, HeaderText, Locale, Text, together
from worker.commands.speaking import INTERRUPTED, Speech, ends_well, json_option, leave, settings_options

if TYPE_CHECKING:
    from worker.placements.question import Question, Reply
    from worker.settings import Settings


@click.command("placements", cls=Discreet, short_help="Asks Rokt whether there is a placement to show on a page.")
@click.option("--cart", required=True, type=Text(), metavar="ID", help="The cart.")
@click.option("--page", required=True, type=Text(), metavar="IDENTIFIER", help="The page, such as checkout.upsell.")
@click.option("--url", type=Text(), metavar="URL", help="The page's address.")
@click.option(
    "--attribute",
    "pairs",
    multiple=True,
    type=Attribute(),
    metavar="NAME=VALUE",
    help="What Rokt is told of the customer, as country=US. Repeatable.",
)
@click.option("--session", type=HeaderText(), metavar="ID", help="The customer's Rokt session. Without it: a new one.")
@click.option("--locale", type=Locale(), help="The customer's, as en-US. Default: WORKER_ROKT__ACCEPT_LANGUAGE.")
@settings_options
@json_option
@ends_well
def placements(
    cart: str,
    page: str,
    url: str | None,
    pairs: tuple[tuple[str, str], ...],
    session: str | None,
    locale: str | None,
    env_file: Path | None,
    secrets_dir: Path | None,
    as_json: bool,
) -> None:
    """Asks Rokt once, by Placements/any, whether there is a placement to show on a page. It changes nothing.

    For trying credentials and targeting by hand: base URL, key, tag id and time-out are the worker's own, and the call
    is made as the worker makes its calls. It takes at most WORKER_ROKT__TIMEOUT_SECONDS.

    Attributes' values and the session go to Rokt and are said nowhere, also where it quotes them. The call is a trace
    of its own, whose id is told; its span goes where OTEL_* says.

    Why there is no answer, and the mend, stand on standard error; with --json "result" and "status" may be null.

    Exit codes: 0 Rokt said yes or no, 1 it did not, 2 wrong use or settings.

    \b
    Examples:
      rokt-worker placements --cart 1580265846172 --page checkout.upsell --attribute country=US --locale en-US
      rokt-worker placements --cart 1580265846172 --page checkout.upsell --json | jq .result
    """
    from worker import loading
    from worker.placements.question import Question
    from worker.rokt.placements import PlacementsRequest

    question = Question(PlacementsRequest(cart, page, url, together(pairs)), session, locale)
    settings = loading.load(os.environ, env_file, secrets_dir)
    loading.telemetry(os.environ, env_file)
    asyncio.run(_asked(question, settings, Speech(as_json=as_json)))


async def _asked(question: Question, settings: Settings, speech: Speech) -> None:
    """Ends the process itself: a thread may still wait for a name or a collector that does not answer."""
    from worker import process
    from worker.placements.asking import asked
    from worker.telemetry import export, logs

    logs.configure("console" if speech.to_people else settings.log.format, "error")
    outlets = export.outlets(os.environ)
    try:
        with speech.waiting("asking Rokt"):
            reply = await asked(question, settings, outlets.tracer)
        _say(question, reply, settings, speech)
        await process.flush(outlets, None)
    except asyncio.CancelledError:
        leave(INTERRUPTED)
    leave(1 if reply.came.result is None else 0)


def _say(question: Question, reply: Reply, settings: Settings, speech: Speech) -> None:
    from worker.placements.telling import document, trouble, words

    speech.answer(document(reply), *words(reply, settings.tracing.link))
    private = [*question.personal, settings.rokt.api_key.get_secret_value()]
    for line in trouble(reply.came, settings.rokt.base_url, private):
        speech.remark(line)
