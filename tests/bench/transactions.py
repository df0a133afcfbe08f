"""How many requests a second one endpoint process takes from Rokt, and what each costs: `python -m bench.transactions`.

A real process of `rokt-worker transactions` on real Kafka, its ledger SQLite in a file; called by a process of its own
over connections that are kept, one request at a time on each. Each arm in turn: `new`, no transaction is sent twice, so
every answer is a 201 behind an acknowledgement; `duplicates`, always the same one; `rejected`, wrong credentials: what
HTTP itself costs. CPU is the endpoint's, all threads, over the whole arm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.running import cpu
from infra import real_kafka
from infra.brokers import Broker
from infra.endpoint import API_KEY, PATH, Endpoint

ARMS = ("new", "duplicates", "rejected")
ANSWERS = {"new": "201", "duplicates": "200", "rejected": "401"}


def call(endpoint: Endpoint, arm: str, connections: int, count: int, seconds: float) -> dict[str, Any]:
    """What the caller found."""
    first, most = (10**9, 0) if arm == "duplicates" else (0, count)
    key = "wrong" if arm == "rejected" else API_KEY
    told = [str(endpoint.port), PATH, key, str(connections), str(first), str(most), str(seconds)]
    done = subprocess.run([sys.executable, "-m", "bench.caller", *told], check=True, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(broker: Broker, arm: str, connections: int, given: argparse.Namespace) -> None:
    """One line."""
    with tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(broker, Path(folder), **dict(given.set))
        endpoint.settings["WORKER_KAFKA__PROPERTIES"] = "{}"
        endpoint.start()
        try:
            if arm == "duplicates":
                endpoint.send({"transactionId": f"t-{10**9}"})
            pid = endpoint.processes[-1].pid
            before = cpu([pid])
            found = call(endpoint, arm, connections, given.requests, given.seconds)
            after = cpu([pid])
            if endpoint.stop() != 0:
                raise RuntimeError(endpoint.output()[-2000:])
        finally:
            endpoint.end()
    every = sum(found["statuses"].values())
    others = {status: n for status, n in found["statuses"].items() if status != ANSWERS[arm]}
    costs = {kind: (spent - before.get(kind, 0.0)) / every * 1e6 for kind, spent in after.items()}
    each = ", ".join(f"{kind} {cost:.0f}" for kind, cost in sorted(costs.items()))
    print(
        f"{arm:>12} {connections:>12} {found['counted'] / found['seconds']:>12,.0f} {found['p50']:>9.1f} "
        f"{found['p99']:>9.1f} {sum(costs.values()):>12.0f} {1e6 / sum(costs.values()):>12,.0f} {every:>9,}   "
        f"({each}){f'   others: {others}' if others else ''}",
        flush=True,
    )


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arms", choices=ARMS, nargs="+", default=list(ARMS), help="see above")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 256], help="at once")
    parser.add_argument(
        "--requests", type=int, default=100_000, help="at most, per line; of duplicates as many as come"
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="at most, per line")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="a setting")
    given = parser.parse_args()
    broker, remove = real_kafka.find()
    try:
        print(f"{broker}; SQLite, JSON, {os.cpu_count()} cores")
        titles = (
            ("arm", 12),
            ("connections", 12),
            ("requests/s", 12),
            ("p50 ms", 9),
            ("p99 ms", 9),
            ("CPU µs each", 12),
            ("per core", 12),
            ("answered", 9),
        )
        print(" ".join(f"{title:>{width}}" for title, width in titles))
        for arm in given.arms:
            for connections in given.connections:
                measure(broker, arm, connections, given)
    finally:
        remove()


if __name__ == "__main__":
    main()
