"""What the four `rokt-worker dlq` commands are asked with, and how they say how far they have come."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from worker.commands.moments import Moment
from worker.dlq.letter import OPERATIONS, REASONS, Place

if TYPE_CHECKING:
    from worker.dlq.filters import Filters
    from worker.settings import Settings

F = Callable[..., Any]
NAMES = ("topic", "reason", "operation", "status", "since", "until", "cart", "order", "key", "places")


class PlaceType(click.ParamType[Place]):
    """`topic/partition/offset`, as `list --each` prints it."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Fails with the form that is allowed."""
        topic, *numbers = str(value).split("/")
        if not topic or len(numbers) != 2 or not all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
            self.fail(f"{value!r} is no place such as checkout-completed.dlq/0/42.", param, ctx)
        return Place(topic, int(numbers[0]), int(numbers[1]))


def filter_options(command: F) -> F:
    """The options by which letters are meant; the command is given them as one `filters`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        filters = _filters(**{name: given.pop(name) for name in NAMES})
        return command(filters=filters, **given)

    found: F = gathered
    for option in reversed(_options()):
        found = option(found)
    return found


def states_of(state: str) -> tuple[Literal["open", "redriven", "discarded"], ...]:
    """The states that a word stands for."""
    if state == "all":
        return "open", "redriven", "discarded"
    return ("open",) if state == "open" else ("redriven",) if state == "redriven" else ("discarded",)


def settings_from(env_file: Path | None, secrets_dir: Path | None) -> Settings:
    """The worker's own. Raises SettingsError."""
    from worker import loading

    return loading.load(os.environ, env_file, secrets_dir)


def named(filters: Filters, *, everything: bool, needed: bool) -> None:
    """All of them, or some; `needed`: one of the two has to be said."""
    if filters.narrow and everything:
        raise click.UsageError("--all means every letter: leave it out, or the other options.")
    if needed and not (filters.narrow or everything):
        raise click.UsageError("Say which letters: by PLACE, by an option such as --reason or --cart, or all by --all.")


def _options() -> list[Callable[[F], F]]:
    return [
        click.argument("places", type=PlaceType(), nargs=-1, metavar="[PLACE]..."),
        click.option("--topic", multiple=True, metavar="TOPIC", help="A source topic or its dead-letter topic."),
        click.option("--reason", multiple=True, type=click.Choice(REASONS), help="Why it was given up."),
        click.option("--operation", multiple=True, type=click.Choice(OPERATIONS), help="The call that failed."),
        click.option(
            "--status",
            multiple=True,
            type=click.IntRange(100, 599),
            metavar="HTTP",
            help="Rokt's answer, such as 422.",
        ),
        click.option("--since", type=Moment(), metavar="TIME", help="Given up at this time or later (UTC)."),
        click.option("--until", type=Moment(), metavar="TIME", help="Given up before this time (UTC)."),
        click.option("--cart", multiple=True, metavar="ID", help="Of this cart."),
        click.option("--order", multiple=True, metavar="ID", help="Of this order."),
        click.option("--key", multiple=True, metavar="KEY", help="With this idempotency key."),
    ]


def _filters(
    *,
    topic: tuple[str, ...],
    reason: tuple[Any, ...],
    operation: tuple[Any, ...],
    status: tuple[int, ...],
    since: int | None,
    until: int | None,
    cart: tuple[str, ...],
    order: tuple[str, ...],
    key: tuple[str, ...],
    places: tuple[Place, ...],
) -> Filters:
    from worker.dlq.filters import Filters

    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since is not before --until: no letter can be meant.")
    return Filters(
        topics=topic,
        reasons=reason,
        operations=operation,
        statuses=status,
        since_ms=since,
        until_ms=until,
        carts=cart,
        orders=order,
        keys=key,
        places=places,
    )
