"""A server in a process of its own that never outlives the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from infra.unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TAIL_LINES = 25
GONE_SECONDS = 10.0
# Its standard input is a pipe that only this process holds: however we end, it gets to know.
WATCHDOG = 'cat >/dev/null; kill -s KILL -- "-$1"; sleep 0.2; rm -rf -- "$2"'


class ServerProcess:
    """One server: its command, its folder (data and log), and whether it answers.

    `user` runs it and owns the folder, for one that refuses to run as root; `environment` is added to what it gets.
    """

    def __init__(
        self,
        name: str,
        answers: Callable[[], bool],
        *,
        user: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"rokt-worker-{name}-"))
        self._user = user
        self._group = None if user is None else pwd.getpwnam(user).pw_gid
        self._environment = environment or {}
        if user is not None:
            shutil.chown(self.folder, user)
        self.log = self.folder / "server.log"
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    def run(self, command: Sequence[str], within: float) -> None:
        """A step before the start, such as formatting the data folder."""
        self._launch(command)
        assert self._process is not None
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            code = -1
        self.kill()
        if code != 0:
            raise UnavailableError(f"{self.name}: {Path(command[0]).name} ended with {code}", self.tail())

    def start(self, command: Sequence[str], within: float) -> None:
        self._launch(command)
        assert self._process is not None
        deadline = time.monotonic() + within
        while not self._answers():
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                what = f"ended with {ended}" if ended is not None else f"did not answer within {within:.0f} s"
                raise UnavailableError(f"{self.name} {what}", self.tail())
            time.sleep(0.1)

    def stop(self, within: float = 15.0, number: signal.Signals = signal.SIGTERM) -> None:
        """An orderly end, by the signal that asks the server for it; the data stay."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(within)
        self.kill()

    def kill(self) -> None:
        """What a crash does, returning when all are gone, and what they shared with them; the data stay as they are."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGSTOP)  # it starts no more while they are counted
            left = _children(self._process.pid)
            _end(self._process)
            for child in left:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            deadline = time.monotonic() + GONE_SECONDS
            while not all(map(_is_gone, left)) and time.monotonic() < deadline:
                time.sleep(0.01)
            self._process = None
        if self._watchdog is not None:
            _end(self._watchdog)
            self._watchdog = None

    def processes(self) -> list[int]:
        """The ids of the server's process and of those that it has started."""
        assert self._process is not None
        return [self._process.pid, *_children(self._process.pid)]

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"    {line[:300]}" for line in lines[-TAIL_LINES:])

    def _launch(self, command: Sequence[str]) -> None:
        assert self._process is None, f"{self.name} is running"
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=environment | self._environment,
                start_new_session=True,
                user=self._user,
                group=self._group,
                extra_groups=None if self._user is None else [],
            )
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "sh", str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _children(pid: int) -> list[int]:
    """Those of a server that each lead a session of their own, where /proc tells."""
    with suppress(OSError, ValueError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _is_gone(pid: int) -> bool:
    """Whether it runs no more; who has taken it over may not have waited for it yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in ("Z", "X")


def _end(process: subprocess.Popen[bytes]) -> None:
    # Not yet waited for, its id cannot belong to anyone else.
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    if process.stdin is not None:
        process.stdin.close()
