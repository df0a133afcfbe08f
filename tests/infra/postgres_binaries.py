"""PostgreSQL's programs: where this machine has them, else out of the distribution's packages, without root."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.cache import cache_folder, only_one
from infra.unavailable import UnavailableError

GIVEN: Final = "WORKER_TEST_POSTGRES_BIN"
NEEDED: Final = ("postgres", "initdb", "pg_basebackup")
FETCH_SECONDS: Final = 300.0
SHARED: Final = Path("/var/tmp/rokt-worker-tests/postgresql")


@dataclass(frozen=True)
class Binaries:
    """A folder with the programs; `libraries` are those that came with them."""

    folder: Path
    found: str
    libraries: tuple[Path, ...] = field(default=())

    def path(self, name: str) -> str:
        return str(self.folder / name)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": ":".join(map(str, self.libraries))} if self.libraries else {}

    @property
    def version(self) -> str:
        done = _run([self.path("postgres"), "--version"], self.environment)
        return done.strip().removeprefix("postgres (PostgreSQL) ")


def find_binaries() -> Binaries:
    """Raises UnavailableError, with the reasons, where there are none and none can be had."""
    for folder, found in _places():
        if all((folder / name).exists() for name in NEEDED):
            return Binaries(folder, found)
    try:
        return _packages()
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(
            f"no real PostgreSQL: {GIVEN} is not set, none on this machine; packages: {type(error).__name__}"
        ) from error


def _places() -> list[tuple[Path, str]]:
    given = os.environ.get(GIVEN)
    if given:
        return [(Path(given), GIVEN)]
    on_path = shutil.which("postgres")
    places = [(Path(on_path).resolve().parent, "on the PATH")] if on_path else []
    roots = (Path("/usr/lib/postgresql"), Path("/opt/homebrew/opt"), Path("/usr/local/opt"), Path("/usr/pgsql"))
    installed = [folder for root in roots if root.is_dir() for folder in root.glob("*/bin")]
    return places + [(folder, "installed") for folder in sorted(installed, key=_generation, reverse=True)]


def _generation(folder: Path) -> int:
    digits = re.findall(r"\d+", str(folder))
    return int(digits[-1]) if digits else 0


def _packages() -> Binaries:
    """Downloads what an installation would, by the distribution's own client, and unpacks it into the cache."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise UnavailableError(f"no real PostgreSQL: {GIVEN} is not set, none on this machine, and no apt-get")
    # As root it is another user who runs the programs, and root's home is closed to him.
    folder = cache_folder() / "postgresql" if unprivileged() is None else SHARED
    folder.parent.mkdir(parents=True, exist_ok=True)
    with only_one(folder.with_suffix(".lock")):
        if not folder.is_dir():
            _fetch(folder)
    bins = sorted(folder.glob("usr/lib/postgresql/*/bin"), key=_generation)
    if not bins:
        raise UnavailableError("no real PostgreSQL: the packages hold no programs")
    # Those that no folder of another package's programs or plugins holds.
    libraries = tuple(sorted({file.parent for file in folder.glob("usr/lib/*/*.so*")}))
    return Binaries(bins[-1], "the distribution's packages", libraries)


def _fetch(folder: Path) -> None:
    server = re.search(r"Depends: (postgresql-(\d+))", _run(["apt-cache", "depends", "postgresql"]))
    if server is None:
        raise UnavailableError("no real PostgreSQL: the distribution has no package of its server")
    missing = re.findall(r"^Inst (\S+)", _run(["apt-get", "--simulate", "install", server[1]]), re.MULTILINE)
    names = sorted({server[1], f"postgresql-client-{server[2]}", "libpq5", *missing})
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-", ignore_cleanup_errors=True) as scratch:
        _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", *names], cwd=scratch)
        content = Path(scratch, "content")
        content.mkdir()
        for package in Path(scratch).glob("*.deb"):
            _run(["dpkg", "-x", str(package), str(content)])
        content.chmod(0o755)
        content.rename(folder)


def _run(command: list[str], environment: dict[str, str] | None = None, cwd: str | None = None) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | (environment or {}),
        cwd=cwd,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise UnavailableError(
            f"no real PostgreSQL: {Path(command[0]).name} ended with {done.returncode}: {last[:200]}"
        )
    return done.stdout


def unprivileged() -> str | None:
    """PostgreSQL does not run as root: who it runs as instead; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise UnavailableError("PostgreSQL does not run as root, and there is no user postgres or nobody")
