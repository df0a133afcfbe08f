"""`rokt-worker`: the commands, by name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

import click

from worker.commands.demo import demo
from worker.commands.dlq import dlq
from worker.commands.doctor import doctor
from worker.commands.explain import explain
from worker.commands.placements import placements
from worker.commands.replay import replay
from worker.commands.run import run
from worker.commands.sandbox import sandbox
from worker.commands.shop import shop
from worker.commands.topics import topics
from worker.commands.transactions import transactions

LIMITS: Final = re.compile(r"OTEL_\w+_(COUNT|LENGTH)_LIMIT")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("rokt-worker"), prog_name="rokt-worker")
def main() -> None:
    """Turns a shop's order stream in Kafka into the matching calls to Rokt's Cart API.

    Exit codes: 0 done, 1 failed, 2 wrong use or settings. Every command has its own --help.

    \b
    Example, from nothing to a running worker:
      rokt-worker topics --create --env-file worker.env
      rokt-worker doctor --env-file worker.env
      rokt-worker run --env-file worker.env

    \b
    Completion of commands and options in the shell (bash; zsh_source and fish_source likewise):
      eval "$(_ROKT_WORKER_COMPLETE=bash_source rokt-worker)"
    """
    check_limits(os.environ)


def check_limits(environ: Mapping[str, str]) -> None:
    """Spans' limits are read as their library is imported: a wrong one would end that. Raises click.UsageError."""
    for name, value in environ.items():
        if LIMITS.fullmatch(name) and value.strip() and not value.strip().isdecimal():
            raise click.UsageError(f"{name}: given {value!r}; allowed: a whole number, 0 or more")


main.add_command(run)
main.add_command(demo)
main.add_command(explain)
main.add_command(replay)
main.add_command(sandbox)
main.add_command(shop)
main.add_command(topics)
main.add_command(transactions)
main.add_command(doctor)
main.add_command(placements)
main.add_command(dlq)
