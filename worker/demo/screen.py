"""What is shown while it runs: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

REDRAW_SECONDS: Final = 0.1
LINE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is; `elapsed` in seconds. `lost` are calls that were answered by a 5xx or not at all."""

    elapsed: float
    total: int
    published: int
    settled: int
    letters: int
    calls: int
    lost: int
    rokt: Literal["up", "down", "up again"]

    def as_text(self) -> str:
        """In one line."""
        return (
            f"{self.published} of {self.total} published, {self.settled} settled, {self.letters} dead letters, "
            f"{self.calls} calls, {self.lost} failed; Rokt is {self.rokt}"
        )


class Screen(Protocol):
    """A context manager that is told of every step, and of the progress as often as one likes."""

    def step(self, text: str) -> None: ...

    def show(self, progress: Progress) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class LiveScreen:
    """Redraws itself, and is gone at the end."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._steps: list[str] = []
        self._drawn = -1.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def step(self, text: str) -> None:
        """One more thing is done."""
        self._steps.append(text)
        self._live.update(self._done(), refresh=True)

    def show(self, progress: Progress) -> None:
        """Draws, at most every tenth of a second."""
        if progress.elapsed - self._drawn < REDRAW_SECONDS:
            return
        self._drawn = progress.elapsed
        self._live.update(Group(self._done(), Text(), _bars(progress), Text(), _now(progress)), refresh=True)

    def _done(self) -> RenderableType:
        lines = Table.grid(padding=(0, 1))
        for step in self._steps:
            lines.add_row(Text("ok", "green"), step)
        return lines


class PlainScreen:
    """A line for each step, and one every two seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def step(self, text: str) -> None:
        """Says that one more thing is done."""
        self._say(text)

    def show(self, progress: Progress) -> None:
        """Says how far it is, from time to time."""
        if progress.elapsed - self._told >= LINE_SECONDS:
            self._told = progress.elapsed
            self._say(f"{progress.elapsed:5.1f} s  {progress.as_text()}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _bars(progress: Progress) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for name, count in (("published", progress.published), ("settled", progress.settled)):
        bar = ProgressBar(total=max(1, progress.total), completed=count, width=40)
        grid.add_row(name, bar, f"{count} of {progress.total}")
    return grid


def _now(progress: Progress) -> Text:
    style = "bold red" if progress.rokt == "down" else "green"
    return Text.assemble(
        f"{progress.elapsed:.0f} s   {progress.calls} calls   {progress.lost} failed   "
        f"{progress.letters} dead letters   ",
        (f"Rokt is {progress.rokt}", style),
    )
