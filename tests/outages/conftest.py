"""The runs that the chosen tests ask for, several side by side; each is played once. Their figures end the session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, runtime_checkable

import pytest

from infra.brokers import Broker, Kind
from infra.names import Names
from infra.unavailable import UnavailableError
from outages.figures import Figures, table
from outages.stage import LONG

# They wait for most of their time. More of them would measure this machine.
SIDE_BY_SIDE = 3 if LONG else 8
PLAYED = pytest.StashKey[list[Figures]]()


@runtime_checkable
class Playable(Protocol):
    """A run: `seconds` is how long it takes, about, for the long ones to begin first."""

    @property
    def name(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def broker(self) -> Kind: ...
    def play(self, broker: Broker, folder: Path) -> Figures: ...


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PLAYED] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if played := config.stash[PLAYED]:
        terminalreporter.section("outages")
        for line in table(sorted(played, key=lambda figures: figures.name)):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def playing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Figures]]]:
    """By name, what each run comes to."""
    found: dict[str, Playable] = {}
    for item in request.session.items:
        params: Mapping[str, object] = getattr(getattr(item, "callspec", None), "params", {})
        if isinstance(run := params.get("figures"), Playable):
            found[run.name] = run
    pool = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="outage")
    futures: dict[str, Future[Figures]] = {}
    played = request.config.stash[PLAYED]
    for run in sorted(found.values(), key=lambda run: -run.seconds):
        try:
            broker = request.getfixturevalue(run.broker)
        except UnavailableError:  # whoever asks for this run is skipped before
            continue
        folder = tmp_path_factory.mktemp("outage")
        futures[run.name] = pool.submit(_played, run, broker, folder, played)
    yield futures
    pool.shutdown(cancel_futures=True)


@pytest.fixture
def figures(request: pytest.FixtureRequest, playing: dict[str, Future[Figures]], tmp_path: Path) -> Figures:
    """What the run came to that the test is about."""
    if getattr(request.param, "by_name", False) and not Names(tmp_path).work():
        pytest.skip("no mount namespace of one's own is to be had here (unshare)")
    return playing[request.param.name].result()


def _played(run: Playable, broker: Broker, folder: Path, played: list[Figures]) -> Figures:
    figures = run.play(broker, folder)
    played.append(figures)
    return figures
