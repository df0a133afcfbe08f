"""`rokt-worker transactions`: the endpoint that Rokt's Transaction Export calls, and what Rokt has to know of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.commands.speaking import ends_well, settings_options

if TYPE_CHECKING:
    from worker.settings import Settings

UNUSED = {"WORKER_ROKT__API_KEY": "-", "WORKER_ROKT__TAG_ID": "-"}
"""Rokt calls this one: it needs no credentials of ours."""


@click.group(
    "transactions", short_help="The endpoint that Rokt's Transaction Export calls.", invoke_without_command=True
)
@settings_options
@click.pass_context
@ends_well
def transactions(context: click.Context, env_file: Path | None, secrets_dir: Path | None) -> None:
    """Takes the transactions that Rokt sends as they happen, and writes each into a topic, once.

    GET, POST and PUT at WORKER_TRANSACTIONS__PATH (/v1/transactions) on WORKER_TRANSACTIONS__PORT (8090); JSON,
    URL-encoded, plain text and XML. 201 {"status": "created"} once the brokers have acknowledged the record, 200
    {"status": "duplicate"} for one that was sent before. /docs says all of it, /openapi.json says it to programs.

    Ways in, each open when its settings are there: WORKER_TRANSACTIONS__API_KEY; __USERNAME and __PASSWORD; __CLIENT_ID
    and __CLIENT_SECRET (tokens from POST /oauth/token). Without any it does not start, unless __OPEN=true.

    SIGTERM or SIGINT: requests under way come to their end within WORKER_SHUTDOWN__DRAIN_SECONDS; exit code 0. Exit
    code 2: wrong settings, with a line for each.

    \b
    Examples:
      WORKER_KAFKA__BOOTSTRAP_SERVERS=localhost:9092 \\
      WORKER_TRANSACTIONS__API_KEY=... rokt-worker transactions
      rokt-worker transactions handover --env-file worker.env
    """
    if context.invoked_subcommand is None:
        from worker import loading
        from worker.transactions import running

        settings = _settings(env_file, secrets_dir)
        loading.telemetry(os.environ, env_file)
        sys.exit(running.run(settings))


@transactions.command("handover", short_help="The answers that Rokt asks for, from the settings.")
@settings_options
@ends_well
def handover(env_file: Path | None, secrets_dir: Path | None) -> None:
    """Writes the eight answers that Rokt's page "Transaction Export API" asks for, as Markdown, without secrets.

    What is not set is named: WORKER_TRANSACTIONS__PUBLIC_URL, __TEST_URL, __CONTACT.

    \b
    Example:
      rokt-worker transactions handover --env-file worker.env > handover.md
    """
    from worker.transactions.form_file import read_form
    from worker.transactions.handover import handover as answers

    given = _settings(env_file, secrets_dir).transactions
    click.echo(answers(read_form(given.fields_file, given.identity), given), nl=False)


def _settings(env_file: Path | None, secrets_dir: Path | None) -> Settings:
    from worker import loading

    for name, value in UNUSED.items():
        os.environ.setdefault(name, value)
    return loading.load(os.environ, env_file, secrets_dir)
