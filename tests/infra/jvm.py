"""Java, for the servers that need one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

WANTED: Final = 17
# Compiled once and cheaply: the servers live for seconds and share the cores with everything else.
QUICK_START: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData")


def quick(scratch: Path) -> list[str]:
    """Options for a server that keeps its temporary files in `scratch`."""
    return [*QUICK_START, f"-Djava.io.tmpdir={scratch}"]


def java() -> str:
    """The path of a Java that is new enough."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        raise UnavailableError("java is not on the PATH")
    try:
        told = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{found} does not run: {error}") from error
    version = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    if version is None:
        raise UnavailableError(f"{found} does not tell its version")
    if int(version[1]) < WANTED:
        raise UnavailableError(f"{found} is Java {version[1]}, at least {WANTED} is needed")
    return found
