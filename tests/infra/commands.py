"""The worker's commands as a person or a program runs them: a process of its own, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended. Neither of its streams held a stack."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as JSON, of which it is nothing else."""
        return json.loads(self.out)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's, with these settings and no others."""
    return {n: v for n, v in os.environ.items() if not n.startswith(("WORKER_", "OTEL_"))} | dict(settings)


def rokt_worker(*arguments: str, settings: Mapping[str, str], folder: Path) -> Said:
    """Runs a command to its end, in a pipe, with these settings and no others."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return Said(done.returncode, done.stdout, done.stderr)
