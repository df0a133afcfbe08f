"""How commands speak: tables for people on a terminal, aligned lines in a pipe, JSON for programs.

The answer goes to standard output, and with `--json` nothing else does; what goes on meanwhile, the log and
complaints go to standard error.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, ParamSpec, TextIO, TypeVar

import click

from worker.errors import SettingsError, WorkerError
from worker.telemetry.printable import printable

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

Mood = Literal["good", "doubtful", "bad", "quiet", "whole"]
GAP = "  "
INTERRUPTED = 130
LINE_SECONDS = 5.0
COLOURS: dict[Mood, str] = {"good": "green", "doubtful": "yellow", "bad": "bold red", "quiet": "dim", "whole": ""}


@dataclass(frozen=True, slots=True)
class Marked:
    """A cell with a colour, where there are colours; or one that is not folded, however narrow the terminal is."""

    text: str
    mood: Mood


Cell = str | int | Marked


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings. Whole numbers stand to the right; without headings no line is spent on them."""

    headings: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]


Shown = Table | str


class Speech:
    """One command's voice. `out` and `err` are the process's, unless a test gives others."""

    def __init__(self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._as_json = as_json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._console: Any = None
        if self._out.isatty() and not as_json:
            from rich.console import Console  # here and not above: in a pipe nobody needs it

            console = Console(file=self._out, highlight=False, markup=False, emoji=False)
            self._console = None if console.is_dumb_terminal else console

    @property
    def to_people(self) -> bool:
        """Whether a person looks at a terminal; else a pipe, or a program that asked for JSON."""
        return self._console is not None

    def answer(self, document: object, *shown: Shown) -> None:
        """The answer: `document` where JSON was asked for, else what is to be `shown`, one below the other."""
        if self._as_json:
            self._out.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        else:
            for each in shown:
                self._show(each)
        self._out.flush()

    def remark(self, text: str) -> None:
        """A line beside the answer, on standard error; lost when nobody takes it any more."""
        with suppress(OSError):
            self._err.write(_written(text, self._err) + "\n")
            self._err.flush()

    @contextmanager
    def waiting(self, text: str) -> Iterator[Callable[[str], None]]:
        """Shows a person that something goes on, until it is over; what it yields says what goes on now.

        In a pipe, and beside JSON, it is a line on standard error now and then, which is none where all is over soon.
        """
        if not (self._err.isatty() and self.to_people):
            yield self._now_and_then()
            return
        from rich.console import Console
        from rich.text import Text

        with Console(file=self._err, highlight=False).status(Text(printable(text))) as status:
            yield lambda now: status.update(Text(printable(now)))

    def _now_and_then(self) -> Callable[[str], None]:
        said = time.monotonic()

        def say(now: str) -> None:
            nonlocal said
            if time.monotonic() - said >= LINE_SECONDS:
                said = time.monotonic()
                self.remark(now)

        return say

    def _show(self, shown: Shown) -> None:
        if self._console is not None:
            self._console.print(_rich(shown) if isinstance(shown, Table) else printable(shown), soft_wrap=False)
        else:
            for line in aligned(shown) if isinstance(shown, Table) else [shown]:
                self._out.write(_written(line, self._out) + "\n")


def aligned(table: Table) -> list[str]:
    """A table as lines of text in columns, with nothing behind the last word of a line."""
    lines = [tuple(heading.upper() for heading in table.headings)] if table.headings else []
    lines += [tuple(printable(_text(cell)) for cell in row) for row in table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = _right(table)
    return [
        GAP.join(
            text.rjust(width) if place in right else text.ljust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def settings_options(command: F) -> F:
    """The options that every command with settings has: `env_file` and `secrets_dir`."""
    for option in (
        click.option("--secrets-dir", type=click.Path(path_type=Path), help="A folder with a file per setting."),
        click.option(
            "--env-file", type=click.Path(path_type=Path), help="A file of NAME=value lines; the environment wins."
        ),
    ):
        command = option(command)
    return command


def json_option(command: F) -> F:
    """The option of a command that programs read: `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="JSON on standard output, and nothing else there.")(
        command
    )


def ends_well(command: Callable[P, None]) -> Callable[P, None]:
    """Exit codes: 2 with a line for each wrong setting, 1 with what failed and its mend, 130 after Ctrl-C.

    What nobody foresaw ends with 1, too, and says where it was and no values.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except SettingsError as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            sys.exit(2)
        except WorkerError as error:
            mend = getattr(error, "mend", "")
            click.echo(f"{error}; mend: {mend}" if mend else str(error), err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            click.echo(_defect(error), err=True)
            sys.exit(1)

    return run


def beside(do: Callable[[], T]) -> T:
    """What `do` gives, or raises, on a thread of its own: a library's callbacks would swallow a Ctrl-C in this one."""
    done: Future[T] = Future()

    def work() -> None:
        try:
            done.set_result(do())
        except BaseException as error:  # handed over whole
            done.set_exception(error)

    threading.Thread(target=work, name="beside", daemon=True).start()
    return done.result()


def leave(code: int) -> NoReturn:
    """Ends at once, without waiting for threads that may hang in a library."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads any more
            continue
    os._exit(code)


def _defect(error: Exception) -> str:
    """Where it was raised, and its kind; its text may quote what it was raised over."""
    stack = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback, without values:\n{stack}{type(error).__qualname__}: this is a defect: please report it"


def _rich(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        box=box.SIMPLE_HEAD if table.headings else None,
        show_header=bool(table.headings),
        header_style="bold",
        pad_edge=False,
    )
    right = _right(table)
    for place in range(_width(table)):
        heading = table.headings[place] if table.headings else ""
        whole = any(isinstance(cell := row[place], Marked) and cell.mood == "whole" for row in table.rows)
        justify: Literal["left", "right"] = "right" if place in right else "left"
        drawn.add_column(heading, justify=justify, overflow="fold", no_wrap=whole)
    for row in table.rows:
        styles = [COLOURS[cell.mood] if isinstance(cell, Marked) else "" for cell in row]
        drawn.add_row(*(Text(printable(_text(cell)), style) for cell, style in zip(row, styles, strict=True)))
    return drawn


def _width(table: Table) -> int:
    return len(table.headings) or max((len(row) for row in table.rows), default=0)


def _right(table: Table) -> set[int]:
    return {place for place in range(_width(table)) if any(isinstance(row[place], int) for row in table.rows)}


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Marked) else str(cell)


def _written(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)
