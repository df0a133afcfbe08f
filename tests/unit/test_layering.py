"""The pure core knows no Kafka, no HTTP, no telemetry and no clock: not even through one of our own modules."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = (
    "worker.bodies",
    "worker.carts",
    "worker.dlq.counting",
    "worker.dlq.letter",
    "worker.dlq.marks",
    "worker.dlq.mends",
    "worker.dlq.unquoted",
    "worker.doctor.finding",
    "worker.doctor.judging.clocks",
    "worker.doctor.judging.group",
    "worker.doctor.judging.rokt",
    "worker.doctor.judging.schemas",
    "worker.doctor.judging.settings",
    "worker.doctor.judging.topics",
    "worker.decode.logical",
    "worker.events",
    "worker.explain.document",
    "worker.explain.happenings",
    "worker.explain.screen",
    "worker.explain.story",
    "worker.explain.waits",
    "worker.frontier",
    "worker.gate.circuit",
    "worker.gate.credentials",
    "worker.gate.limit",
    "worker.gate.others",
    "worker.gate.pace",
    "worker.gate.remote_clock",
    "worker.gate.road",
    "worker.gate.traffic",
    "worker.gate.turn",
    "worker.handover",
    "worker.keys",
    "worker.lanes",
    "worker.ledger.budgets",
    "worker.ledger.entries",
    "worker.ledger.notes",
    "worker.ledger.page",
    "worker.ledger.rows",
    "worker.mapping",
    "worker.placements.question",
    "worker.placements.telling",
    "worker.record",
    "worker.replay.plan",
    "worker.replay.request",
    "worker.replay.tally",
    "worker.retry",
    "worker.rokt.answers",
    "worker.rokt.placements",
    "worker.rokt.said",
    "worker.stream.avro_writing",
    "worker.stream.horizon",
    "worker.stream.pauses",
    "worker.telemetry.instruments",
    "worker.telemetry.meters",
    "worker.telemetry.recent",
    "worker.topics.judging",
    "worker.topics.needed",
    "worker.transactions.answers",
    "worker.transactions.bodies",
    "worker.transactions.checking",
    "worker.transactions.form",
    "worker.transactions.json_body",
    "worker.transactions.kinds",
    "worker.transactions.media",
    "worker.transactions.numbers",
    "worker.transactions.pairs",
    "worker.transactions.record",
    "worker.transactions.text_body",
    "worker.transactions.transaction",
    "worker.transactions.xml_body",
    "worker.urgency",
    "worker.varint",
    "worker.verdict",
)
FOREIGN = {
    "aiohappyeyeballs", "anyio", "asyncio", "asyncpg", "click", "confluent_kafka", "fastavro", "httpcore",
    "httptools", "httpx", "logging", "multiprocessing", "opentelemetry", "os", "psycopg", "pydantic",
    "pydantic_settings", "random", "requests", "secrets", "selectors", "signal", "socket", "sqlite3", "ssl",
    "starlette", "structlog", "subprocess", "sys", "threading", "time", "urllib", "uvicorn", "uvloop",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today", "uuid1", "uuid4"}


def source(module: str) -> Path | None:
    plain = ROOT.joinpath(*module.split("."))
    return next((path for path in (plain.with_suffix(".py"), plain / "__init__.py") if path.is_file()), None)


def parsed(module: str) -> ast.Module:
    path = source(module)
    assert path is not None, f"there is no module {module}"
    return ast.parse(path.read_text())


def imported(module: str) -> Iterator[str]:
    """What a module imports, and the packages that its import runs on the way."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if source(f"{node.module}.{alias.name}"))


def reached(module: str) -> dict[str, str]:
    """Every module that an import leads to, ours followed, each with the one that imports it."""
    found: dict[str, str] = {}
    left = [(module, module)]
    while left:
        name, by = left.pop()
        if name in found:
            continue
        found[name] = by
        if source(name) is not None:
            left += [(package, name) for package in packages(name)]
            left += [(other, name) for other in imported(name)]
    return found


def packages(module: str) -> Iterator[str]:
    parts = module.split(".")
    yield from (".".join(parts[:n]) for n in range(1, len(parts)))


@pytest.mark.parametrize("module", CORE)
def test_the_pure_core_reaches_no_client_no_telemetry_and_no_clock(module: str) -> None:
    leaks = {name: by for name, by in reached(module).items() if name.split(".")[0] in FOREIGN}
    assert leaks == {}


@pytest.mark.parametrize("module", CORE)
def test_the_pure_core_asks_nobody_for_the_time_or_for_chance(module: str) -> None:
    ours = [name for name in reached(module) if source(name) is not None]
    asked = [
        f"{name}:{node.lineno}"
        for name in ours
        for node in ast.walk(parsed(name))
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS
    ]
    assert asked == []


def test_the_walk_does_see_a_leak() -> None:
    assert {"confluent_kafka", "httpx", "opentelemetry.trace"} <= reached("worker.wiring").keys()
