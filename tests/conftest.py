"""Brokers and a registry for the tests, and an environment without settings of anybody's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from infra import real_kafka
from infra import registry as real_registry
from infra.brokers import Broker
from infra.embedded import EmbeddedKafka
from infra.once import Once
from infra.registry import Registry
from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

KAFKA = pytest.StashKey[Once[Broker]]()
REGISTRY = pytest.StashKey[Once[Registry]]()
MARKS = {"kafka": "real_kafka", "registry": "real_registry"}
SCRUBBED = ("WORKER_", "OTEL_")
KEPT = "WORKER_TEST_"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_kafka: needs a real Apache Kafka")
    config.addinivalue_line("markers", "real_registry: needs a real schema registry")
    config.stash[KAFKA] = Once(real_kafka.find)
    config.stash[REGISTRY] = Once(real_registry.find)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[KAFKA].remove()
    config.stash[REGISTRY].remove()


def pytest_itemcollected(item: pytest.Item) -> None:
    for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
        item.add_marker(MARKS[fixture])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Starts what the chosen tests need before the first of them, whose time limit is not meant for downloads."""
    if session.config.option.collectonly:
        return
    for server in _needed(session.config, session.items):
        try:
            server.get()
        except UnavailableError:
            continue


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    return [str(server.value) for server in _needed(config, items) if server.value is not None]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for server in (config.stash[KAFKA], config.stash[REGISTRY]):
        if server.failure is not None and server.failure.log:
            terminalreporter.section(server.failure.reason)
            terminalreporter.write_line(server.failure.log)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(SCRUBBED) and not name.startswith(KEPT):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _embedded() -> Iterator[Broker]:
    server = EmbeddedKafka()
    yield Broker("embedded", "librdkafka's mock cluster", "in this process", server)
    server.stop()


@pytest.fixture
def embedded(_embedded: Broker) -> Iterator[Broker]:
    """The broker inside this process, the same for all tests."""
    yield _embedded
    _left_running(_embedded)


@pytest.fixture
def kafka(pytestconfig: pytest.Config) -> Iterator[Broker]:
    """A real Apache Kafka 4.x, the same for all tests."""
    found = _required(pytestconfig.stash[KAFKA])
    yield found
    _left_running(found)


@pytest.fixture
def registry(pytestconfig: pytest.Config) -> Iterator[Registry]:
    """A real schema registry, the same for all tests."""
    found = _required(pytestconfig.stash[REGISTRY])
    yield found
    _left_running(found)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.real_kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each kind in turn: a scenario that asks for it runs on both."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Broker)
    return found


def _required(server: Once[T]) -> T:
    try:
        return server.get()
    except UnavailableError as error:
        if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
            pytest.fail(f"{error.reason} (CI requires it)", pytrace=False)
        pytest.skip(error.reason)


def _left_running(server: Broker | Registry) -> None:
    # For the tests that come after one that took it down and failed.
    if server.restartable and not server.answers():
        server.restart()


def _needed(config: pytest.Config, items: Sequence[pytest.Item]) -> list[Once[Broker] | Once[Registry]]:
    wanted = {name for item in items for name in MARKS.values() if item.get_closest_marker(name)}
    servers: list[tuple[str, Once[Broker] | Once[Registry]]] = [
        ("real_kafka", config.stash[KAFKA]),
        ("real_registry", config.stash[REGISTRY]),
    ]
    return [server for name, server in servers if name in wanted]
