"""`rokt-worker demo`: the whole system on this machine, and whether its books balance."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

CARTS = 400


class Interrupted(BaseException):
    """A signal asked to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@click.command("demo", short_help="The whole system on this machine, and whether its books balance.")
@click.option("--carts", type=click.IntRange(20, 5000), default=CARTS, show_default=True, help="How many carts.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same carts and events.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON on standard output, and nothing else there.")
@click.option(
    "--keep-log",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE",
    help="Where to keep the worker's log; without it the log goes when the demo ends.",
)
def demo(carts: int, seed: int, as_json: bool, keep_log: Path | None) -> None:
    """The whole system on this machine, in well under a minute; nothing to install or to start.

    Inside this process: a broker, a stand-in for Rokt, a collector of traces, and a shop. Beside it, as a process of
    its own, the worker as `rokt-worker run` starts it; no WORKER_* or OTEL_* variable of yours reaches it.

    The shop publishes a few hundred orders, cancels and abandoned carts; some of them twice, some that contradict each
    other, some poisonous, some with an item that Rokt refuses. Rokt loses answers, and is down for some seconds; in the
    midst of that the worker is killed and started again. In the end what was published is compared with what the
    broker's topics and Rokt hold.

    Exit code 0: the books balance. 1: they do not, or it could not be played to the end.

    \b
    Example:
      rokt-worker demo --carts 100 --json | jq .dead_letters
    """
    try:
        with _signals():
            sys.exit(_demo(carts, seed, as_json=as_json, log=keep_log))
    except Interrupted as interrupted:
        sys.exit(128 + interrupted.number)


def _demo(carts: int, seed: int, *, as_json: bool, log: Path | None) -> int:
    # Here and not above: no other command needs what these need.
    from rich.console import Console

    from worker.demo.final import final_screen
    from worker.demo.performance import DemoError
    from worker.demo.play import Options, play
    from worker.demo.screen import LiveScreen, PlainScreen

    stream = sys.stderr if as_json else sys.stdout
    terminal = stream.isatty()
    console = Console(file=stream, highlight=False, force_terminal=terminal)
    screen = LiveScreen(console) if terminal and not console.is_dumb_terminal else PlainScreen(console)
    try:
        report = play(Options(carts, seed, log), screen)
    except (DemoError, OSError) as error:
        click.echo(str(error), err=True)
        return 1
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        console.print(final_screen(report), crop=False)
    return 0 if report.balance.balanced else 1


@contextmanager
def _signals() -> Iterator[None]:
    """The first signal ends everything; while that is going on, another one changes nothing."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, _: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    # What is ignored stays so: a job in the background, or under nohup, is not to hear of it.
    before = {number: signal.getsignal(number) for number in numbers}
    heard = [number for number in numbers if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            if signal.getsignal(number) is end:
                signal.signal(number, before[number])
