"""`rokt-worker dlq`: what was given up and why; put it back, or put it aside."""

from __future__ import annotations

import click

from worker.commands.dlq_change import discard, redrive
from worker.commands.dlq_look import list_letters, show


@click.group("dlq", short_help="Dead letters: what failed and why; put it back, or put it aside.")
def dlq() -> None:
    """Dead letters: events that were given up. What failed and why, put it back, put it aside.

    They stand in the dead-letter topic of each source topic, and stay there: what became of a letter (open, redriven,
    discarded) is remembered in the ledger's database. All of it may be done while workers run.

    \b
    Example, in the order in which they are of use:
      rokt-worker dlq list --env-file worker.env
      rokt-worker dlq show checkout-completed.dlq/0/42 --env-file worker.env
      rokt-worker dlq redrive --reason rejected --dry-run --env-file worker.env
      rokt-worker dlq redrive --reason rejected --env-file worker.env
      rokt-worker dlq discard --cart cart-4711 --because "refunded, see ticket 12" --env-file worker.env
    """


dlq.add_command(list_letters)
dlq.add_command(show)
dlq.add_command(redrive)
dlq.add_command(discard)
