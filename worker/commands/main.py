"""`rokt-worker`: the commands, by name."""

from __future__ import annotations

from importlib.metadata import version

import click

from worker.commands.demo import demo
from worker.commands.run import run
from worker.commands.sandbox import sandbox


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("rokt-worker"), prog_name="rokt-worker")
def main() -> None:
    """Turns a shop's order stream in Kafka into the matching calls to Rokt's Cart API.

    Exit codes: 0 done, 1 failed, 2 wrong use or settings. Every command has its own --help.
    """


main.add_command(run)
main.add_command(demo)
main.add_command(sandbox)
