"""Jaeger's program: where this machine has it, else built from Go modules, once, beside the tests.

Jaeger 2 is an OpenTelemetry Collector with storage and a query service: the same program is the tracing backend of the
tests, and the collector that deploy/observability/collector.yaml is tried on. No other backend that takes OTLP, keeps
links and events, and answers by an API of its own can be had from the language registries alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra import go_modules
from infra.unavailable import UnavailableError

GIVEN: Final = "WORKER_TEST_JAEGER"
MODULE: Final = Path(__file__).with_name("jaeger_build")
PACKAGE: Final = "github.com/jaegertracing/jaeger/cmd/jaeger"
BUILD_SECONDS: Final = 1_500.0
# It is to be there soon, not to be fast.
BUILD: Final = ("-gcflags=all=-N -l", "-ldflags=-s -w")


@dataclass(frozen=True)
class Binary:
    path: Path
    found: str


def begin() -> None:
    """Begins to build it, if that is needed, without waiting for it."""
    threading.Thread(target=_quietly, name="jaeger-build", daemon=True).start()


def find_binary() -> Binary:
    """Raises UnavailableError, with the reason, where there is none and none can be built."""
    if given := os.environ.get(GIVEN):
        return Binary(Path(given), GIVEN)
    if on_path := shutil.which("jaeger"):
        return Binary(Path(on_path), "on the PATH")
    folder = go_modules.once(f"jaeger-{_version()}", f"Jaeger ({GIVEN} is not set)", _build)
    return Binary(folder / "jaeger", "built from Go modules")


def _quietly() -> None:
    try:
        find_binary()
    except UnavailableError:
        return  # whoever needs it is told


def _version() -> str:
    return hashlib.sha256((MODULE / "go.sum").read_bytes() + " ".join(BUILD).encode()).hexdigest()[:16]


def _build(folder: Path, beside: Path) -> None:
    go_modules.build(MODULE, folder, beside, PACKAGE, options=BUILD, seconds=BUILD_SECONDS)
