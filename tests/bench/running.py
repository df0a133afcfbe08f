"""One run of one arm: a topic full of events is read; the stretch from the first tenth to the last counts."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.arms import Arm
from bench.servers import Servers, Stub, stub
from infra.worker import Worker

BENCH: Final = Path(__file__).parent
PARTITIONS: Final = 8
TICKS: Final = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS: Final = 300.0
POSTGRES_OWN: Final = {"fsync": "on", "full_page_writes": "on"}
RIVALS: Final = {
    "plain": ("bench.rivals.plain",),
    "batches-httpx": ("bench.rivals.batches", "httpx"),
    "bare": ("bench.rivals.batches", "aiohttp"),
    "pyrallel": ("bench.rivals.pyrallel",),
    "faststream": ("bench.rivals.with_faststream",),
}


@dataclass(frozen=True, slots=True)
class Run:
    """Events a second; CPU µs an event, in all and of the client library's threads; MiB at most; calls at once.

    `machine`: the share of all cores that was busy meanwhile, with brokers, stubs and whatever else ran.
    """

    rate: float
    cpu: float
    librdkafka: float
    memory: float
    at_once: int
    machine: float


@dataclass(frozen=True, slots=True)
class _Look:
    calls: int
    cpu: dict[str, float]
    machine: tuple[float, float]
    at: float


def measure(arm: Arm, servers: Servers, events: int, rivals: Path | None) -> Run:
    """Raises TimeoutError when it does not come to an end."""
    with tempfile.TemporaryDirectory() as folder, stub(arm.milliseconds / 1000) as rokt:
        worker = worker_of(arm, servers, rokt, Path(folder))
        worker.create_topics(partitions=PARTITIONS)
        fill(servers, worker.completed, events)
        if arm.rival is None:
            with running(worker, arm.processes):
                return between(rokt, [process.pid for process in worker.processes], events)
        assert rivals is not None
        module, *more = RIVALS[arm.rival]
        given = [servers.broker.bootstrap, worker.completed, worker.group, rokt.url, str(arm.in_flight), *more]
        with rival([str(rivals), "-m", module, *given], Path(folder) / "rival.log") as process:
            return between(rokt, [process.pid], events)


def worker_of(arm: Arm, servers: Servers, rokt: Stub, folder: Path) -> Worker:
    """The worker of an arm, not started yet."""
    worker = Worker(servers.broker, rokt.url, folder, WORKER_ROKT__MAX_CONCURRENCY=str(arm.in_flight))
    worker.settings |= {"WORKER_KAFKA__PROPERTIES": "{}", "WORKER_REGISTRY__URL": servers.registry.url}
    if arm.traces != "off":
        worker.settings |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": servers.collector.url,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "1" if arm.traces == "all" else "0.01",
        }
    if arm.ledger == "postgres":
        assert servers.postgres is not None
        worker.settings["WORKER_LEDGER__URL"] = servers.postgres.fresh_database()
    if arm.ledger == "off":
        worker.settings["PYTHONPATH"] = str(BENCH.parent)
        worker.command = [sys.executable, "-m", "bench.unledgered", "run"]
    return worker


def fill(servers: Servers, topic: str, events: int, *options: str) -> None:
    """Writes all events of a run."""
    subprocess.run(shop(servers, topic, events, "--carts", "zipf", *options), check=True, stdout=subprocess.DEVNULL)


def shop(servers: Servers, topic: str, events: int, *options: str) -> list[str]:
    """The command that writes events (bench/shop.py)."""
    to = [servers.broker.bootstrap, topic, str(events), "--registry", servers.registry.url]
    return [sys.executable, "-m", "bench.shop", *to, *options]


@contextmanager
def running(worker: Worker, processes: int = 1) -> Iterator[None]:
    """So many processes of the group, until the end. What they said is told where it goes wrong."""
    try:
        for _ in range(processes):
            worker.start()
        yield
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {worker.output()[-2000:]}") from None
    finally:
        worker.end()


@contextmanager
def rival(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another program's process, until the end."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=BENCH.parent, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield process
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {log.read_text()[-2000:]}") from None
    finally:
        process.kill()
        process.wait()


def wait_for(rokt: Stub, calls: int) -> int:
    """Returns when so many calls were answered; how many there were at once at most. Raises TimeoutError."""
    most = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (told := rokt.told())[0] < calls:
        most = max(most, told[1])
        if time.monotonic() > deadline:
            raise TimeoutError(f"{told[0]} of {calls} calls came in {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.02)
    return max(most, told[1])


def cpu(pids: Sequence[int]) -> dict[str, float]:
    """CPU seconds by kind of thread: the client library's, and all others."""
    found = {"librdkafka": 0.0, "Python": 0.0}
    for task in (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()):
        name, _, rest = (task / "stat").read_text().rpartition(")")
        fields = rest.split()
        found["librdkafka" if "rdk" in name else "Python"] += (int(fields[11]) + int(fields[12])) / TICKS
    return found


def memory(pids: Sequence[int]) -> float:
    """MiB that were resident at most, of all of them."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def between(rokt: Stub, pids: Sequence[int], events: int) -> Run:
    most = wait_for(rokt, events // 10)
    first = _look(rokt, pids)
    most = max(most, wait_for(rokt, events * 9 // 10))
    last = _look(rokt, pids)
    calls = last.calls - first.calls
    costs = {kind: (spent - first.cpu[kind]) / calls * 1e6 for kind, spent in last.cpu.items()}
    rate = calls / (last.at - first.at)
    busy, whole = (after - before for before, after in zip(first.machine, last.machine, strict=True))
    return Run(rate, sum(costs.values()), costs["librdkafka"], memory(pids), most, busy / whole)


def _look(rokt: Stub, pids: Sequence[int]) -> _Look:
    return _Look(rokt.told()[0], cpu(pids), _machine(), time.monotonic())


def _machine() -> tuple[float, float]:
    """Ticks of all cores since the start: those that were not idle, and all (proc(5), /proc/stat)."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
