"""`rokt-worker`: the commands, by name."""

from __future__ import annotations

from importlib.metadata import version

import click

from worker.commands.demo import demo
from worker.commands.dlq import dlq
from worker.commands.doctor import doctor
from worker.commands.explain import explain
from worker.commands.placements import placements
from worker.commands.replay import replay
from worker.commands.run import run
from worker.commands.sandbox import sandbox
from worker.commands.topics import topics
from worker.commands.transactions import transactions


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


main.add_command(run)
main.add_command(demo)
main.add_command(explain)
main.add_command(replay)
main.add_command(sandbox)
main.add_command(topics)
main.add_command(transactions)
main.add_command(doctor)
main.add_command(placements)
main.add_command(dlq)
