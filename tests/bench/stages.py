"""What of an event's CPU goes where, by samples of the worker's stacks: each counts for the innermost of our own rooms.

Samples of threads that hold the interpreter only: what the database's and the brokers' clients do beside it is not in
them. py-spy takes them, from outside the process.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Final

SECONDS: Final = 6
SAMPLES: Final = 250
FRAME: Final = re.compile(r"\((worker/[\w/]+)\.py:\d+\)")
STAGES: Final = {
    "consume": ("stream/consum", "stream/assignment", "stream/commits", "stream/pauses", "stream/messages", "frontier"),
    "decode": ("decode/", "events"),
    "turn": ("dispatch", "lanes", "urgency"),
    "map": ("mapping", "keys", "carts"),
    "ledger": ("ledger/",),
    "gate": ("gate/",),
    "call": ("rokt/",),
    "settle": ("settle", "stream/publisher", "stream/outcomes", "stream/avro_values", "stream/dead_letters"),
    "tell": ("telling", "telemetry/"),
    "steps": ("pipeline", "calling", "work", "stopping", "verdict", "retry"),
}
REST: Final = "event loop"


def shares(python: Path, pid: int, folder: Path) -> dict[str, float]:
    """The share of each stage in a worker's samples; nothing where they cannot be taken."""
    raw = folder / "samples"
    command = [str(python.with_name("py-spy")), "record", "--pid", str(pid), "--gil", "--format", "raw"]
    options = ["--duration", str(SECONDS), "--rate", str(SAMPLES), "--output", str(raw)]
    try:
        subprocess.run([*command, *options], check=True, capture_output=True, timeout=SECONDS * 5)
    except (OSError, subprocess.SubprocessError):
        return {}
    counts: Counter[str] = Counter()
    for line in raw.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        counts[stage(stack)] += int(number)
    return {name: counts[name] / counts.total() for name in (*STAGES, REST)}


def stage(stack: str) -> str:
    """Where a sample belongs, whose frames are outermost first."""
    for room in reversed(FRAME.findall(stack)):
        for name, places in STAGES.items():
            if room.removeprefix("worker/").startswith(places):
                return name
    return REST
