"""`rokt-worker sandbox`: a stateful stand-in of the Rokt API on a port, with faults to order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from worker.sandbox.app import Settings

SECONDS = click.FloatRange(min=0)
CHANCE = click.FloatRange(0, 1)
RULES = ("reservation_ttl", "strict_reservations", "fail_items", "empty_pages")


def _latency(_ctx: click.Context, _param: click.Parameter, value: str) -> dict[str, Any]:
    kind, *numbers = value.split(":")
    seconds, spread = _floats(numbers, value, "KIND:SECONDS[:SPREAD]", least=1)
    return {"kind": kind, "seconds": seconds, "spread": spread}


def _rates(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    rates = {}
    for value in values:
        status, _, probability = value.partition(":")
        rates[status] = _floats([probability], value, "STATUS:PROBABILITY", least=1)[0]
    return rates


def _outages(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> list[dict[str, float]]:
    pairs = [_floats(value.split(":"), value, "START:LENGTH", least=2) for value in values]
    return [{"after": after, "seconds": seconds} for after, seconds in pairs]


def _floats(parts: list[str], value: str, form: str, *, least: int) -> tuple[float, float]:
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not least <= len(numbers) <= 2 or not all(map(math.isfinite, numbers)):
        raise click.BadParameter(f"{value!r} is not of the form {form}.")
    return numbers[0], numbers[1] if len(numbers) == 2 else 0.0


@click.command("sandbox", short_help="A stand-in of the Rokt API that remembers, with faults to order.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8089, show_default=True, help="0 takes a free one.")
@click.option("--api-key", default="", help="The only rokt-api-key to accept. Without it: any.")
@click.option("--tag-id", default="", help="The only rokt-tag-id to accept. Without it: any.")
@click.option("--key-ttl", type=SECONDS, default=10800, show_default=True, help="Seconds an idempotency key is known.")
@click.option("--reservation-ttl", type=SECONDS, default=900, show_default=True, help="Seconds a reservation is held.")
@click.option("--strict-reservations", is_flag=True, help="Refuse (422) reservations that were not made here.")
@click.option("--fail-items", default="fail-", metavar="MARKER", show_default=True, help="Items with it in an id fail.")
@click.option(
    "--empty-pages", default="empty-", metavar="MARKER", show_default=True, help="Pages with it have no placement."
)
@click.option(
    "--latency",
    default="fixed:0",
    metavar="KIND:SECONDS[:SPREAD]",
    callback=_latency,
    help=(
        "fixed:0.03, uniform:0.03:0.01 (plus or minus), exponential:0.03 (mean), lognormal:0.03:0.5 (median, sigma)."
    ),
)
@click.option(
    "--error",
    "errors",
    multiple=True,
    metavar="STATUS:PROBABILITY",
    callback=_rates,
    help=("Answer so without doing anything, as 503:0.1. Repeatable."),
)
@click.option(
    "--error-after",
    "errors_after",
    multiple=True,
    metavar="STATUS:PROBABILITY",
    callback=_rates,
    help=("Do what was asked, then answer so, as 504:0.01. Repeatable."),
)
@click.option("--retry-after", type=click.IntRange(min=0), help="Seconds; sent with every 429 and 503.")
@click.option("--reset-before", type=CHANCE, default=0.0, help="Chance to reset the connection without doing anything.")
@click.option("--reset-after", type=CHANCE, default=0.0, help="Chance to do what was asked, then reset the connection.")
@click.option("--timeout-before", type=CHANCE, default=0.0, help="Chance to do nothing and hang.")
@click.option("--timeout-after", type=CHANCE, default=0.0, help="Chance to do what was asked and hang.")
@click.option("--hang-seconds", type=SECONDS, default=30.0, show_default=True, help="How long a hang lasts.")
@click.option(
    "--outage",
    multiple=True,
    metavar="START:LENGTH",
    callback=_outages,
    help=("Seconds after the start, as 10:30: 503 to everything. Repeatable."),
)
@click.option(
    "--calls-per-second",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take N calls in any second, answer 429 with Retry-After to the others. Without it: all.",
)
@click.option("--seed", type=int, help="The same seed and calls give the same ids and faults.")
def sandbox(**options: Any) -> None:
    """A stand-in of the Rokt API that remembers.

    It reserves, confirms, releases and cancels as Rokt's reference says, refuses what the reference refuses, answers
    409 to an idempotency key it knows, and goes wrong as ordered. Point WORKER_ROKT__BASE_URL at it.

    \b
    Examples, a good day and a bad one:
      rokt-worker sandbox --port 8089
      rokt-worker sandbox --latency lognormal:0.03:0.5 --error 503:0.1 --retry-after 2 \\
          --reset-after 0.02 --outage 10:30 --seed 7

    \b
    While it runs:
      curl localhost:8089/sandbox/state?summary=1     what it did, and whether anything was done twice
      curl localhost:8089/sandbox/state               the same, with every order and reservation
      curl 'localhost:8089/sandbox/calls?after=0'     the last calls
      curl -X PUT localhost:8089/sandbox/faults -d '{"errors": {"429": 0.2}, "retry_after": 1}'
      curl -X PUT localhost:8089/sandbox/faults -d '{"outage": {"seconds": 20}}'
      curl -X PUT localhost:8089/sandbox/faults -d '{"calls_per_second": 100}'
      curl -X PUT localhost:8089/sandbox/faults -d '{"errors": {"503": 1}, "only": ["confirm"]}'
      curl -X DELETE localhost:8089/sandbox/faults
      curl -X POST localhost:8089/sandbox/reset       forget everything but the faults
    """
    from worker.sandbox.server import serve  # a web server, which no other command needs

    settings = _settings(options)
    try:
        serve(settings, options["host"], options["port"], _announce)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {options['host']} port {options['port']}: {error.strerror}"
        ) from error


def _settings(options: dict[str, Any]) -> Settings:
    import msgspec

    from worker.sandbox.app import Settings
    from worker.sandbox.faults import convert_faults
    from worker.sandbox.requests import Credentials
    from worker.sandbox.state import Rules

    faults = {name: options[name] for name in ("latency", "errors", "errors_after", "retry_after", "outage")}
    faults |= {name: options[name] for name in ("reset_before", "reset_after", "timeout_before", "timeout_after")}
    try:
        ordered = convert_faults(faults | {name: options[name] for name in ("hang_seconds", "calls_per_second")})
    except msgspec.ValidationError as error:
        raise click.UsageError(f"Wrong fault: {error}") from error
    return Settings(
        credentials=Credentials(options["api_key"], options["tag_id"]),
        rules=Rules(**{name: options[name] for name in RULES}),
        faults=ordered,
        key_ttl=options["key_ttl"],
        seed=options["seed"],
    )


def _announce(url: str) -> None:
    click.echo(f"sandbox listening on {url}")
