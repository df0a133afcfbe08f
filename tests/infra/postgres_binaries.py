"""PostgreSQL's programs: where this machine has them, else out of the distribution's packages, without root."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra import debian
from infra.unavailable import UnavailableError

GIVEN: Final = "WORKER_TEST_POSTGRES_BIN"
NEEDED: Final = ("postgres", "initdb", "pg_basebackup")


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
        done = debian.run([self.path("postgres"), "--version"], self.environment)
        return done.strip().removeprefix("postgres (PostgreSQL) ")


def find_binaries() -> Binaries:
    """Raises UnavailableError, with the reasons, where there are none and none can be had."""
    for folder, found in _places():
        if all((folder / name).exists() for name in NEEDED):
            return Binaries(folder, found)
    try:
        return _packages()
    except UnavailableError as error:
        reason = f"no real PostgreSQL: {GIVEN} is not set, none on this machine, {error.reason}"
        raise UnavailableError(reason, error.log) from error


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
    """Out of what an installation would download, unpacked into the cache."""
    # As root it is another user who runs the programs, and root's home is closed to him.
    folder = debian.unpacked("postgresql", _names, shared=unprivileged() is not None)
    bins = sorted(folder.glob("usr/lib/postgresql/*/bin"), key=_generation)
    if not bins:
        raise UnavailableError("the packages hold no programs")
    # Those that no folder of another package's programs or plugins holds.
    libraries = tuple(sorted({file.parent for file in folder.glob("usr/lib/*/*.so*")}))
    return Binaries(bins[-1], "the distribution's packages", libraries)


def _names() -> set[str]:
    debian.look_up("postgresql")
    server = re.search(r"Depends: (postgresql-(\d+))", debian.depends("postgresql"))
    if server is None:
        raise UnavailableError("the distribution has no package of its server")
    return {server[1], f"postgresql-client-{server[2]}", "libpq5", *debian.missing(server[1])}


def unprivileged() -> str | None:
    """PostgreSQL does not run as root: who it runs as instead; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise UnavailableError("PostgreSQL does not run as root, and there is no user postgres or nobody")
