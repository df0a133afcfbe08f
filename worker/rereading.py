"""The credentials, read again while the worker runs: a new key in the env file or the folder of secrets is taken.

Of the settings only these are; every other one needs a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from worker.errors import SettingsError
from worker.settings import RoktSettings, setting_name
from worker.telemetry import names

PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to Rokt; in no text."""

    api_key: str = field(repr=False)
    tag_id: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A sentence for each thing that is wrong; none holds a secret."""

    problems: tuple[str, ...]


Found = Credentials | Unreadable


def credentials(given: RoktSettings) -> Credentials:
    """Those among the settings."""
    return Credentials(given.api_key.get_secret_value(), given.tag_id)


class Rereading:
    """Reads again and again, on a thread of its own, and hands over what is new. Lives on the event loop.

    `read` may block, and raises SettingsError. `take` is called on the loop.
    """

    def __init__(
        self,
        read: Callable[[], Credentials],
        current: Credentials,
        take: Callable[[Credentials], None],
        *,
        every_seconds: float,
        log: FilteringBoundLogger,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """`patience_seconds`: how long a reading may take before that is told; the next begins only when it is over."""
        self._read = read
        self._current = current
        self._take = take
        self._every_seconds = every_seconds
        self._patience_seconds = patience_seconds
        self._log = log
        self._last: Found = current
        self._reading: asyncio.Future[Found] | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.look()

    async def look(self) -> None:
        """Reads once. What is new counts when a second reading says the same: the first may fall into a change."""
        found = await self._found()
        if found == self._last or await self._found() != found:
            return
        self._last = found
        if isinstance(found, Unreadable):
            self._log.warning(
                names.LOG_CREDENTIALS_UNREADABLE,
                why="; ".join(found.problems),
                mend="until it is mended, the worker goes on with the credentials that it has",
            )
        elif found != self._current:
            before, self._current = self._current, found
            self._take(found)
            self._log.info(names.LOG_CREDENTIALS_READ, settings=_changed(before, found))

    async def _found(self) -> Found:
        if self._reading is None:
            self._reading = _on_thread(self._read)
        done, _ = await asyncio.wait({self._reading}, timeout=self._patience_seconds)
        if not done:
            return Unreadable((f"the files could not be read in {self._patience_seconds:g} s",))
        reading, self._reading = self._reading, None
        return reading.result()


def _on_thread(read: Callable[[], Credentials]) -> asyncio.Future[Found]:
    """A thread that nobody waits for at the end, since a file system may hang."""
    loop = asyncio.get_running_loop()
    reading: asyncio.Future[Found] = loop.create_future()

    def give(found: Found) -> None:
        if not reading.done():
            reading.set_result(found)

    def work() -> None:
        found = _told(read)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the worker has ended
            loop.call_soon_threadsafe(give, found)

    threading.Thread(target=work, name="credentials", daemon=True).start()
    return reading


def _told(read: Callable[[], Credentials]) -> Found:
    try:
        return read()
    except SettingsError as error:
        return Unreadable(tuple(error.problems))
    except Exception as error:  # a defect, or a library's: the worker works on with what it has
        return Unreadable((f"the settings could not be read ({type(error).__name__})",))


def _changed(before: Credentials, now: Credentials) -> list[str]:
    return [setting_name("rokt", name) for name in ("api_key", "tag_id") if getattr(before, name) != getattr(now, name)]
