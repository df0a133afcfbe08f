"""A replay as its processes run it; what it says of itself, and how it ends. Also such a process itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.brokers import fresh
from infra.commands import environment
from infra.worker import STOP_SECONDS, Worker, tell

NAMED = Path(__file__).parents[1]


class Replay:
    """All that is in a worker's topics now, or what of it is asked for; its processes share it."""

    def __init__(self, worker: Worker, *, rate: float | None = None, name: str | None = None, **wanted: Any) -> None:
        from worker.replay.plan import Plan, Stretch, Wanted, to_text

        ends = {(t, n): p.end for t in worker.sources for n, p in worker.broker.committed(worker.group, t).items()}
        stretches = tuple(Stretch(t, n, 0, end) for (t, n), end in sorted(ends.items()) if end)
        self.plan = Plan(name or fresh("again"), Wanted(0, **wanted), 0, stretches)
        self.worker = worker
        self.group = f"{worker.group}.replay.{self.plan.name}"
        self._arguments = [to_text(self.plan), json.dumps(rate)]
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, **settings: str) -> subprocess.Popen[str]:
        """One more process of it."""
        with (self.worker.folder / "replay.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "infra.replay", *self._arguments],
                env=environment(self.worker.settings | settings)
                | {"PYTHONPATH": os.pathsep.join((str(NAMED), str(NAMED.parent)))},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.worker.folder,
            )
        self.processes.append(process)
        return process

    def run(self, **settings: str) -> dict[str, Any]:
        """One process of it, to its end; how far it came."""
        return self.end_of(self.start(**settings))

    def end_of(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """What a process says at its end."""
        out, _ = process.communicate(timeout=STOP_SECONDS)
        assert process.returncode == 0, self.log()
        said: dict[str, Any] = json.loads(out.splitlines()[-1])
        return said

    def stop(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """As SIGTERM does."""
        tell(process, signal.SIGTERM)  # type: ignore[arg-type]
        return self.end_of(process)

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.communicate(timeout=STOP_SECONDS)

    def log(self) -> str:
        return (self.worker.folder / "replay.log").read_text()

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.kill(process)


def main() -> None:
    from worker import loading
    from worker.replay.plan import from_text
    from worker.replay.request import Progress, Request
    from worker.replay.running import run

    plan, rate = sys.argv[1:]

    def say(progress: Progress) -> None:
        print(json.dumps({"waitsFor": progress.waits_for, "stretches": progress.stretches}), flush=True)

    come = run(Request(from_text(plan), json.loads(rate)), loading.load(os.environ, None, None), say)
    print(json.dumps(asdict(come)), flush=True)


if __name__ == "__main__":
    main()
