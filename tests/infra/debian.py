"""Programs out of the distribution's packages, by its own client, without root and without installing anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.cache import cache_folder, only_one
from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FETCH_SECONDS: Final = 300.0
SHARED: Final = Path("/var/tmp/rokt-worker-tests")


def unpacked(name: str, packages: Callable[[], Iterable[str]], *, shared: bool = False) -> Path:
    """A folder of the cache with what these packages hold; only the first run touches the network.

    `shared`: other users run what is in it. Raises UnavailableError, with the reason, where they cannot be had.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UnavailableError("no apt-get")
    try:
        folder = (SHARED if shared else cache_folder()) / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        with only_one(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _fetch(folder, sorted({*packages()}))
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"packages: {type(error).__name__}") from error
    return folder


def look_up(package: str) -> None:
    """Makes sure that the client knows a package: a new machine's lists may be empty, which only root can mend."""
    if _knows(package) or os.geteuid() != 0:
        return
    with only_one(Path(tempfile.gettempdir(), "rokt-worker-tests-apt.lock")):
        if not _knows(package):
            run(["apt-get", "update"])


def depends(package: str) -> str:
    """What a package depends on, as the client tells it."""
    return run(["apt-cache", "depends", package])


def missing(package: str) -> list[str]:
    """What an installation of a package would install on this machine."""
    return re.findall(r"^Inst (\S+)", run(["apt-get", "--simulate", "install", package]), re.MULTILINE)


def run(command: list[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command prints. Raises UnavailableError, with its last words, where it fails."""
    done = _done(command, environment, cwd)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise UnavailableError(f"{Path(command[0]).name} ended with {done.returncode}: {last[:200]}")
    return done.stdout


def _fetch(folder: Path, names: list[str]) -> None:
    # Renamed at the end: a folder of the right name is always complete.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-", ignore_cleanup_errors=True) as scratch:
        run(["apt-get", "-o", "APT::Sandbox::User=root", "download", *names], cwd=Path(scratch))
        content = Path(scratch, "content")
        content.mkdir()
        for package in Path(scratch).glob("*.deb"):
            run(["dpkg", "-x", str(package), str(content)])
        content.chmod(0o755)
        content.rename(folder)


def _knows(package: str) -> bool:
    return _done(["apt-cache", "show", "--no-all-versions", package]).returncode == 0


def _done(
    command: list[str], environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | dict(environment or {}),
        cwd=cwd,
    )
