"""Jaeger's program: where this machine has it, else built from Go modules, once, beside the tests.

Jaeger 2 is an OpenTelemetry Collector with storage and a query service: the same program is the tracing backend of the
tests, and the collector that deploy/observability/collector.yaml is tried on. No other backend that takes OTLP, keeps
links and events, and answers by an API of its own can be had from the language registries alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.cache import cache_folder, only_one
from infra.unavailable import UnavailableError

GIVEN: Final = "WORKER_TEST_JAEGER"
MODULE: Final = Path(__file__).with_name("jaeger_build")
PACKAGE: Final = "github.com/jaegertracing/jaeger/cmd/jaeger"
BUILD_SECONDS: Final = 1_500.0
# It is to be there soon, not to be fast; and the tests beside it come first.
BUILD: Final = ("nice", "-n", "19", "go", "build", "-mod=readonly", "-gcflags=all=-N -l", "-ldflags=-s -w")


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
    try:
        cache = cache_folder()
        target = cache / f"jaeger-{_version()}"
        if not target.exists():
            with only_one(cache / "jaeger.lock"):
                if not target.exists():
                    _build(target)
    except OSError as error:
        raise UnavailableError(f"no Jaeger: the tests' cache cannot be used: {error}") from error
    return Binary(target, "built from Go modules")


def _quietly() -> None:
    try:
        find_binary()
    except UnavailableError:
        return  # whoever needs it is told


def _version() -> str:
    return hashlib.sha256((MODULE / "go.sum").read_bytes() + " ".join(BUILD).encode()).hexdigest()[:16]


def _build(target: Path) -> None:
    if shutil.which("go") is None:
        raise UnavailableError(f"no Jaeger: {GIVEN} is not set, and there is no Go to build it with")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-", ignore_cleanup_errors=True) as scratch:
        folder = Path(shutil.copytree(MODULE, Path(scratch, "module")))
        made = Path(scratch, "jaeger")
        try:
            done = subprocess.run(
                [*BUILD, "-o", str(made), PACKAGE],
                cwd=folder,
                env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"no Jaeger: go was not done after {BUILD_SECONDS:.0f} s") from None
        if done.returncode != 0:
            raise UnavailableError("no Jaeger: go could not build it", done.stderr[-2_000:])
        made.rename(target)
