"""What is fetched for the tests is fetched once, into a cache of the user's."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def cache_folder() -> Path:
    """It exists; raises OSError when it cannot."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rokt-worker-tests"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Waits for other test runs that fetch the same."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
