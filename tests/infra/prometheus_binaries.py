"""Prometheus's programs: where this machine has them, else out of the distribution's package, without root."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra import debian
from infra.unavailable import UnavailableError

GIVEN: Final = "WORKER_TEST_PROMETHEUS_BIN"
PACKAGE: Final = "prometheus"
NEEDED: Final = ("prometheus", "promtool")


@dataclass(frozen=True)
class Binaries:
    """A folder with the programs."""

    folder: Path
    found: str

    def path(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def version(self) -> str:
        return debian.run([self.path("promtool"), "--version"]).split()[2]


def find_binaries() -> Binaries:
    """Raises UnavailableError, with the reasons, where there are none and none can be had."""
    for folder, found in _places():
        if all((folder / name).exists() for name in NEEDED):
            return Binaries(folder, found)
    try:
        return Binaries(debian.unpacked(PACKAGE, _names) / "usr" / "bin", "the distribution's package")
    except UnavailableError as error:
        reason = f"no real Prometheus: {GIVEN} is not set, none on the PATH, {error.reason}"
        raise UnavailableError(reason, error.log) from error


def _places() -> list[tuple[Path, str]]:
    given = os.environ.get(GIVEN)
    if given:
        return [(Path(given), GIVEN)]
    on_path = shutil.which("promtool")
    return [] if on_path is None else [(Path(on_path).parent, "on the PATH")]


def _names() -> list[str]:
    """The package alone: its programs are linked statically, and what else it names is for a service."""
    debian.look_up(PACKAGE)
    return [PACKAGE]
