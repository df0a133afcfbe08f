"""`rokt-worker explain`: what happened to one customer's order."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from worker.errors import LedgerUnavailable, SettingsError, WorkerError

LINE_SECONDS = 5.0


class Moment(click.ParamType[int]):
    """RFC 3339 text, as milliseconds since 1970; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Fails with the forms that are allowed."""
        try:
            given = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-11-20 or 2026-11-20T10:00:00Z.", param, ctx)
        return int((given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp() * 1000)


@click.command("explain")
@click.argument("id_", metavar="ID")
@click.option("--topics", is_flag=True, help="Look into the topics too: source events, outcomes, dead letters.")
@click.option("--since", type=Moment(), metavar="TIME", help="How far back to look. Default: all that the ledger has.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output, and nothing else there.")
@click.option("--env-file", type=click.Path(path_type=Path), help="A file of NAME=value lines; the environment wins.")
@click.option("--secrets-dir", type=click.Path(path_type=Path), help="A folder with a file per setting.")
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
    tell = _progress()
    try:
        settings = loading.load(os.environ, env_file, secrets_dir)
        answer = asyncio.run(explained(Question(id_, topics, since), settings, tell))
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(2)
    except WorkerError as error:
        mend = f"; mend: {error.mend}" if isinstance(error, LedgerUnavailable) else ""
        click.echo(f"{error}{mend}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        tell("")
    _say(answer.document, answer.sections, as_json=as_json)
    for remark in answer.remarks:
        click.echo(remark, err=True)
    sys.exit(0 if answer.known and answer.whole else 1)


def _say(document: dict[str, Any], sections: Sequence[Any], *, as_json: bool) -> None:
    """The one place that writes to standard output."""
    from worker.explain.screen import drawn, lines

    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif sys.stdout.isatty():
        from rich.console import Console

        console = Console(highlight=False, markup=False, emoji=False)
        for each in drawn(sections):
            console.print(each)
    else:
        for line in lines(sections):
            click.echo(line)


def _progress() -> Callable[[str], None]:
    """Says on standard error how far it has come: on a terminal in one line that goes, else in a line now and then."""
    if sys.stderr.isatty():
        return lambda text: click.echo(f"\r\x1b[K{text}", err=True, nl=False)
    said = time.monotonic()

    def now_and_then(text: str) -> None:
        nonlocal said
        if text and time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            click.echo(text, err=True)

    return now_and_then
