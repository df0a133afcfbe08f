"""Brokers, a registry, a database and Prometheus for the tests, and an environment without settings of anybody's."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from infra import jaeger as real_jaeger
from infra import jaeger_binary, real_kafka
from infra import kustomize as real_kustomize
from infra import postgres as real_postgres
from infra import prometheus as real_prometheus
from infra import registry as real_registry
from infra.brokers import Broker
from infra.embedded import EmbeddedKafka
from infra.jaeger import Jaeger
from infra.kustomize import Kustomize
from infra.once import Once
from infra.postgres import Postgres
from infra.prometheus import Prometheus
from infra.registry import Registry
from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

KAFKA = pytest.StashKey[Once[Broker]]()
REGISTRY = pytest.StashKey[Once[Registry]]()
POSTGRES = pytest.StashKey[Once[Postgres]]()
JAEGER = pytest.StashKey[Once[Jaeger]]()
PROMETHEUS = pytest.StashKey[Once[Prometheus]]()
KUSTOMIZE = pytest.StashKey[Once[Kustomize]]()
STARTED = pytest.StashKey[list[str]]()
FAILED = pytest.StashKey[dict[str, str]]()
STDERR = pytest.StashKey[int]()
MARKS = {
    "kafka": "real_kafka",
    "registry": "real_registry",
    "postgres": "real_postgres",
    "jaeger": "real_jaeger",
    "prometheus": "real_prometheus",
    "kustomize": "real_kustomize",
}
SERVERS = ("embedded", "kafka", "broker", "registry", "postgres", "jaeger")
AnyServer: TypeAlias = (
    Once[Broker] | Once[Registry] | Once[Postgres] | Once[Jaeger] | Once[Prometheus] | Once[Kustomize]
)
SCRUBBED = ("WORKER_", "OTEL_")
KEPT = "WORKER_TEST_"
HUNG_SECONDS = 60.0  # beyond its time limit; only a test that no signal reaches gets so far


# How long an example takes is the machine's affair.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in a script's background: ours would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "real_kafka: needs a real Apache Kafka")
    config.addinivalue_line("markers", "real_registry: needs a real schema registry")
    config.addinivalue_line("markers", "real_postgres: needs a real PostgreSQL")
    config.addinivalue_line("markers", "real_jaeger: needs a real tracing backend")
    config.addinivalue_line("markers", "real_prometheus: needs a real Prometheus")
    config.addinivalue_line("markers", "real_kustomize: needs kustomize and kubeconform")
    config.stash[KAFKA] = Once(real_kafka.find)
    config.stash[REGISTRY] = Once(real_registry.find)
    config.stash[POSTGRES] = Once(real_postgres.find)
    config.stash[JAEGER] = Once(real_jaeger.find)
    config.stash[PROMETHEUS] = Once(real_prometheus.find)
    config.stash[KUSTOMIZE] = Once(real_kustomize.find)
    config.stash[STARTED] = []
    config.stash[FAILED] = {}
    config.stash[STDERR] = os.dup(2)  # before a test's output is captured


def pytest_unconfigure(config: pytest.Config) -> None:
    for _, server in _servers(config):
        server.remove()


def pytest_itemcollected(item: pytest.Item) -> None:
    for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
        item.add_marker(MARKS[fixture])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Starts what the chosen tests need before the first of them, whose time limit is not meant for downloads."""
    if session.config.option.collectonly:
        return
    for server in _needed(session.config, session.items):
        if server is session.config.stash[JAEGER]:
            jaeger_binary.begin()  # it takes minutes to build, and the others need not wait for it
        else:
            _missing(server)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that hangs where its time limit cannot interrupt it (in a library's C, or while it cleans up) is ended.

    Every thread's stack is written to where this process writes, and the process ends: the test has failed.
    """
    marked = item.get_closest_marker("timeout")
    limit = float(marked.args[0] if marked else item.config.getini("timeout"))
    faulthandler.dump_traceback_later(limit + HUNG_SECONDS, exit=True, file=item.config.stash[STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # Here and not in a fixture, so that the tests that were skipped for one reason share one line of the report.
    for server in _needed(item.config, [item]):
        reason = _missing(server)
        if reason and os.environ.get("CI", "").lower() in {"", "0", "false"}:
            pytest.skip(reason)
        if reason:
            pytest.fail(f"CI requires it: {reason}", pytrace=False)


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    return [str(server.value) for server in _needed(config, items) if server.value is not None]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes side by side (pytest-xdist) tells the one that reports what is known of its servers."""
    config = session.config
    for _, server in _servers(config):
        if server.failure is not None and server.failure.log:
            config.stash[FAILED][server.failure.reason] = server.failure.log
    if hasattr(config, "workeroutput"):
        config.workeroutput["started"] = [str(server.value) for _, server in _servers(config) if server.value]
        config.workeroutput["failed"] = config.stash[FAILED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    said = getattr(node, "workeroutput", {})
    node.config.stash[STARTED].extend(said.get("started", []))
    node.config.stash[FAILED].update(said.get("failed", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[STARTED]:
        terminalreporter.write_line(line)
    for reason, log in config.stash[FAILED].items():
        terminalreporter.section(reason)
        terminalreporter.write_line(log)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(SCRUBBED) and not name.startswith(KEPT):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """For the tests that come after one that took a server down and failed."""
    used = [request.getfixturevalue(name) for name in SERVERS if name in request.fixturenames]
    yield
    for server in used:
        if server.restartable and not server.answers():
            server.restart()


@pytest.fixture(scope="session")
def embedded() -> Iterator[Broker]:
    """The broker inside this process."""
    server = EmbeddedKafka()
    yield Broker("embedded", "librdkafka's mock cluster", "in this process", server)
    server.stop()


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Broker:
    """A real Apache Kafka 4.x."""
    return pytestconfig.stash[KAFKA].get()


@pytest.fixture(scope="session")
def registry(pytestconfig: pytest.Config) -> Registry:
    """A real schema registry."""
    return pytestconfig.stash[REGISTRY].get()


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Postgres:
    """A real PostgreSQL."""
    return pytestconfig.stash[POSTGRES].get()


@pytest.fixture(scope="session")
def jaeger(pytestconfig: pytest.Config) -> Jaeger:
    """A real tracing backend."""
    return pytestconfig.stash[JAEGER].get()


@pytest.fixture(scope="session")
def prometheus(pytestconfig: pytest.Config) -> Prometheus:
    """A real Prometheus, its programs."""
    return pytestconfig.stash[PROMETHEUS].get()


@pytest.fixture(scope="session")
def kustomize(pytestconfig: pytest.Config) -> Kustomize:
    """kustomize, and kubeconform with the schemas of all whom deploy/kubernetes speaks to."""
    return pytestconfig.stash[KUSTOMIZE].get()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.real_kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each kind in turn: a scenario that asks for it runs on both."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Broker)
    return found


def _missing(server: AnyServer) -> str:
    """Why it cannot be had, empty when it is there."""
    try:
        server.get()
    except UnavailableError as error:
        return error.reason
    return ""


def _servers(config: pytest.Config) -> list[tuple[str, AnyServer]]:
    """Those that are started for the tests with a mark."""
    return [
        ("real_kafka", config.stash[KAFKA]),
        ("real_registry", config.stash[REGISTRY]),
        ("real_postgres", config.stash[POSTGRES]),
        ("real_kustomize", config.stash[KUSTOMIZE]),
        ("real_jaeger", config.stash[JAEGER]),
        ("real_prometheus", config.stash[PROMETHEUS]),
    ]


def _needed(config: pytest.Config, items: Sequence[pytest.Item]) -> list[AnyServer]:
    wanted = {name for item in items for name in MARKS.values() if item.get_closest_marker(name)}
    return [server for name, server in _servers(config) if name in wanted]
