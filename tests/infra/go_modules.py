"""What is built from Go modules, or read out of them: go itself, beside the tests and after them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from infra.cache import cache_folder, only_one
from infra.unavailable import UnavailableError


def once(name: str, what: str, make: Callable[[Path, Path], None]) -> Path:
    """A folder of the cache; `make` fills it where it is not there, with a folder beside it that nobody keeps."""
    if shutil.which("go") is None:
        raise UnavailableError(f"no {what}: there is no Go to build it with")
    try:
        cache = cache_folder()
        target = cache / name
        if not target.exists():
            with only_one(cache / f"{name.partition('-')[0]}.lock"):
                if not target.exists():
                    _make(target, make)
    except OSError as error:
        raise UnavailableError(f"no {what}: the tests' cache cannot be used: {error}") from error
    return target


def _make(target: Path, make: Callable[[Path, Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="build-", ignore_cleanup_errors=True) as scratch:
        made, beside = Path(scratch, "made"), Path(scratch, "beside")
        made.mkdir()
        beside.mkdir()
        make(made, beside)
        made.rename(target)


def build(module: Path, into: Path, beside: Path, *packages: str, options: tuple[str, ...], seconds: float) -> None:
    """The programs of a module that is locked by its go.sum."""
    copy = Path(shutil.copytree(module, beside / "module"))
    go(copy, "build", "-mod=readonly", *options, "-o", f"{into}{os.sep}", *packages, seconds=seconds)


def source(folder: Path, module: str, sum_: str, seconds: float = 600.0) -> Path:
    """Where a module lies; it is the one that was meant."""
    found = json.loads(go(folder, "mod", "download", "-json", module, seconds=seconds))
    if found["Sum"] != sum_:
        raise UnavailableError(f"{module} is not what it was")
    return Path(found["Dir"])


def go(folder: Path, *arguments: str, seconds: float) -> str:
    """What go says. Raises UnavailableError with what it says against it."""
    try:
        done = subprocess.run(
            ["nice", "-n", "19", "go", *arguments],
            cwd=folder,
            env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"go {arguments[0]} was not done after {seconds:.0f} s") from None
    if done.returncode != 0:
        raise UnavailableError(f"go {arguments[0]} could not do it", done.stderr[-2_000:] or done.stdout[-2_000:])
    return done.stdout
