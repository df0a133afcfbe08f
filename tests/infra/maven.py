"""Jars from Maven, resolved once into a cache of the user's."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.cache import cache_folder, only_one
from infra.unavailable import UnavailableError

FETCH_SECONDS = 600.0


def pinned(pom: Path, name: str) -> str:
    """The value of a property of `pom`."""
    found = re.search(rf"<{re.escape(name)}>([^<]+)</", pom.read_text())
    if found is None:
        raise LookupError(f"{pom.name} has no property {name}")
    return found[1]


def resolve(pom: Path) -> Path:
    """The folder with what `pom` names. Only the first run of a pom touches the network."""
    name = pom.name.removesuffix(".pom.xml")
    try:
        cache = cache_folder()
        folder = cache / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}"
        if folder.is_dir():
            return folder
        with only_one(cache / f"{name}.lock"):
            if not folder.is_dir():
                _fetch(pom, folder)
    except OSError as error:
        raise UnavailableError(f"the tests' cache cannot be used: {error}") from error
    return folder


def _fetch(pom: Path, folder: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise UnavailableError("mvn is not on the PATH and the jars are not in the cache yet")
    # Renamed at the end: a folder of the right name is always complete.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetch-", ignore_cleanup_errors=True) as scratch:
        # Maven writes next to the pom it is given.
        copy = shutil.copy(pom, scratch)
        content = Path(scratch, "content")
        command = [mvn, "-q", "-B", "-f", copy, f"-DoutputDirectory={content}"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"mvn was not done with {pom.name} after {FETCH_SECONDS:.0f} s") from None
        if done.returncode != 0 or not content.is_dir():
            raise UnavailableError(f"mvn could not resolve {pom.name}: {_first_error(done.stdout)}")
        content.rename(folder)


def _first_error(output: str) -> str:
    plain = re.sub(r"\x1b\[[\d;]*m", "", output)
    errors = [line.removeprefix("[ERROR] ") for line in plain.splitlines() if line.startswith("[ERROR]")]
    return (errors or plain.splitlines() or ["no output"])[0][:300]
