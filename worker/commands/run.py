"""`rokt-worker run`: the worker, until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import click

from worker.commands.speaking import settings_options
from worker.errors import SettingsError


@click.command(short_help="The worker, until it is told to stop.")
@settings_options
def run(env_file: Path | None, secrets_dir: Path | None) -> None:
    """Reads order events from Kafka and makes the matching calls to Rokt.

    Settings come from the environment, from --env-file and from --secrets-dir; what is named first here counts. A new
    WORKER_ROKT__API_KEY or __TAG_ID in these files is taken while it runs; every other setting needs a restart.

    SIGTERM or SIGINT: events in hand settle within WORKER_SHUTDOWN__DRAIN_SECONDS or stay uncommitted; exit code 0.
    A second signal leaves at once. Exit code 2: wrong settings, with a line for each. Exit code 1: it cannot go on.

    \b
    Example:
      WORKER_KAFKA__BOOTSTRAP_SERVERS=localhost:9092 \\
      WORKER_ROKT__API_KEY=... WORKER_ROKT__TAG_ID=... rokt-worker run
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _nothing_to_drain)
    from worker import running  # the heavy imports: a signal during them ends well too

    try:
        ending = running.run(env_file, secrets_dir)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        click.echo("The worker does not start with these settings; see README, or rokt-worker run --help.", err=True)
        sys.exit(2)
    if not ending.clean:
        sys.stderr.flush()
        os._exit(ending.code)  # a thread still waits inside the client library: it must not hold up the exit
    sys.exit(ending.code)


def _nothing_to_drain(_: int, __: FrameType | None) -> None:
    sys.exit(0)
