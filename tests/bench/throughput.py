"""How many events a second one worker process settles, and what CPU each costs: `python -m bench.throughput`.

A real worker process on real Kafka, against a stub that answers after exactly 30 ms. At each limit of calls in flight a
new worker reads a topic that is full; what is counted is the stretch between the first tenth and the last. Then another
group reads it all again: what is settled already is passed over.

`--traces` says what becomes of its spans and figures, each in turn: `off`, nobody asked for them; `1%`, `all`, a
collector takes so many of the traces; `away`, all are meant for one that is not there; `slow`, for one that takes 20 s.
"""

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra import real_kafka
from infra.brokers import Broker, fresh
from infra.worker import Worker, until

PARTITIONS = 8
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_SECONDS = 600.0
TRACES = ("off", "1%", "all", "away", "slow")
AWAY = "http://127.0.0.1:9"
SLOW_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Look:
    """What there was at one moment: calls answered, CPU seconds of the worker by thread, wall-clock seconds."""

    calls: int
    most: int
    cpu: dict[str, float]
    at: float


class Stub:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port

    def told(self) -> tuple[int, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("GET", "/")
        calls, most = connection.getresponse().read().split()
        connection.close()
        return int(calls), int(most)


@contextmanager
def stub(seconds: float) -> Iterator[Stub]:
    process = subprocess.Popen([sys.executable, "-m", "bench.stub", str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Stub(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def cpu(pid: int) -> dict[str, float]:
    """CPU seconds by kind of thread: Python's own by name, the client library's together."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name, _, rest = (task / "stat").read_text().rpartition(")")
        fields = rest.split()
        kind = "librdkafka" if "rdk" in name else "Python"
        found[kind] = found.get(kind, 0.0) + (int(fields[11]) + int(fields[12])) / TICKS
    return found


def look(rokt: Stub, pid: int, most: int) -> Look:
    calls, most_since = rokt.told()
    return Look(calls, max(most, most_since), cpu(pid), time.monotonic())


def run(broker: Broker, rokt: Stub, worker: Worker, events: int) -> tuple[Look, Look]:
    """The first and the last look of the stretch that counts."""
    before, _ = rokt.told()
    worker.start()
    pid = worker.processes[-1].pid
    looks: list[Look] = []
    most = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    for share in (0.1, 0.9):
        while (told := rokt.told())[0] - before < events * share:
            most = max(most, told[1])
            if time.monotonic() > deadline or worker.processes[-1].poll() is not None:
                raise TimeoutError(worker.output()[-2000:])
            time.sleep(0.05)
        looks.append(look(rokt, pid, most))
    return looks[0], looks[1]


def read_again(worker: Worker) -> float:
    """Events a second that a new group passes over, between the first tenth and the last."""
    if not worker.all_committed(PATIENCE_SECONDS) or worker.stop() != 0:
        raise TimeoutError(worker.output()[-2000:])
    worker.group = worker.settings["WORKER_KAFKA__GROUP_ID"] = fresh("group")
    worker.start(WORKER_KAFKA__COMMIT_SECONDS="0.1")
    every = worker.lag()
    looks: list[tuple[int, float]] = []
    for share in (0.9, 0.1):
        until(lambda share=share: worker.lag() <= every * share, PATIENCE_SECONDS)  # type: ignore[misc]
        looks.append((worker.lag(), time.monotonic()))
    (more, begun), (less, ended) = looks
    return (more - less) / (ended - begun)


def measure(
    broker: Broker, rokt: Stub, limit: int, traces: str, telemetry: dict[str, str], given: argparse.Namespace
) -> None:
    seconds = given.milliseconds / 1000
    ceiling = limit / seconds
    events = min(given.events, int(ceiling * given.seconds))
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(broker, rokt.url, Path(folder), WORKER_ROKT__MAX_CONCURRENCY=str(limit), **dict(given.set))
        worker.settings |= telemetry
        worker.settings["WORKER_KAFKA__PROPERTIES"] = "{}"
        worker.create_topics(partitions=PARTITIONS)
        shop = [sys.executable, "-m", "bench.shop", broker.bootstrap, worker.completed, str(events)]
        subprocess.run(shop, check=True)
        try:
            first, last = run(broker, rokt, worker, events)
            again = read_again(worker)
        finally:
            worker.end()
    calls, took = last.calls - first.calls, last.at - first.at
    rate = calls / took
    costs = {kind: (spent - first.cpu.get(kind, 0.0)) / calls * 1e6 for kind, spent in last.cpu.items()}
    each = ", ".join(f"{kind} {cost:.0f}" for kind, cost in sorted(costs.items()))
    print(
        f"{limit:>10} {traces:>7} {rate:>12,.0f} {ceiling:>10,.0f} {rate / ceiling:>8.0%} {last.most:>8} "
        f"{sum(costs.values()):>8.0f} {sum(costs.values()) * rate / 1e6:>8.0%} {again:>10,.0f}   ({each})",
        flush=True,
    )


def _telemetry(traces: str, collector: Stub, slow: Stub) -> dict[str, str]:
    urls = {"1%": collector.url, "all": collector.url, "away": AWAY, "slow": slow.url}
    if traces == "off":
        return {}
    share = "0.01" if traces == "1%" else "1"
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": share}
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": urls[traces], **sampler}


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limits", type=int, nargs="+", default=[64, 256, 800], help="calls in flight")
    parser.add_argument("--milliseconds", type=float, default=30.0, help="how long Rokt takes")
    parser.add_argument("--events", type=int, default=40_000, help="at most, per limit")
    parser.add_argument("--seconds", type=float, default=12.0, help="how long a run would take at the ceiling")
    parser.add_argument("--traces", choices=TRACES, nargs="+", default=["off"], help="see above")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="a setting")
    given = parser.parse_args()
    broker, remove = real_kafka.find()
    try:
        print(f"{broker}; {given.milliseconds:g} ms a call, {PARTITIONS} partitions, {os.cpu_count()} cores")
        titles = (
            ("in flight", 10),
            ("traces", 7),
            ("events/s", 12),
            ("ceiling", 10),
            ("of it", 8),
            ("most", 8),
            ("µs/event", 8),
            ("CPU", 8),
        )
        print(" ".join(f"{title:>{width}}" for title, width in (*titles, ("again/s", 10))))
        with stub(given.milliseconds / 1000) as rokt, stub(0.0) as collector, stub(SLOW_SECONDS) as slow:
            for limit in given.limits:
                for traces in given.traces:
                    measure(broker, rokt, limit, traces, _telemetry(traces, collector, slow), given)
    finally:
        remove()


if __name__ == "__main__":
    main()
