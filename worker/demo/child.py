"""The worker as an operator would run it: a process of its own, set up by its environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from worker.demo import rokt
from worker.demo.broker import GROUP
from worker.telemetry import names

SCRUBBED: Final = ("WORKER_", "OTEL_")
PROPERTIES: Final = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000, "fetch.wait.max.ms": 20}
# Its standard input is a pipe that only this process holds: however we end, it gets to know.
WATCHDOG: Final = 'cat >/dev/null; kill -KILL "$1"'
CANCEL_WAIT_SECONDS: Final = 5
TAIL_LINES: Final = 8


def environment(given: Mapping[str, str], brokers: str, rokt_url: str, otlp_url: str, folder: Path) -> dict[str, str]:
    """The child's environment: the given one, without any setting of the user's own worker."""
    kept = {name: value for name, value in given.items() if not name.upper().startswith(SCRUBBED)}
    return kept | {
        "WORKER_KAFKA__BOOTSTRAP_SERVERS": brokers,
        "WORKER_KAFKA__GROUP_ID": GROUP,
        "WORKER_KAFKA__PROPERTIES": json.dumps(PROPERTIES),
        "WORKER_KAFKA__COMMIT_SECONDS": "0.25",
        "WORKER_ROKT__BASE_URL": rokt_url,
        "WORKER_ROKT__API_KEY": rokt.API_KEY,
        "WORKER_ROKT__TAG_ID": rokt.TAG_ID,
        "WORKER_ROKT__TIMEOUT_SECONDS": "5",
        "WORKER_RETRY__MAX_SECONDS": "1.5",
        "WORKER_LEDGER__URL": f"sqlite:///{folder / 'ledger.db'}",
        "WORKER_LEDGER__LEASE_SECONDS": "7.5",
        "WORKER_CANCEL__WAIT_SECONDS": str(CANCEL_WAIT_SECONDS),
        "WORKER_SHUTDOWN__DRAIN_SECONDS": "5",
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
        "OTEL_METRICS_EXPORTER": "none",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


class Child:
    """The running worker; it never outlives this process. Its log goes to a file, all of its lives to the same."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self._environ = dict(environ)
        self._log = log
        self._log.write_bytes(b"")
        self.start()

    def start(self) -> None:
        """Starts it, at first and again once it has ended."""
        self._log_begins = self._log.stat().st_size
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker", "run"],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
            ["sh", "-c", WATCHDOG, "sh", str(self._process.pid)],  # noqa: S607 - wherever the system keeps it
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self) -> None:
        """Ends it as a lost machine would: at once, and nothing is tidied up."""
        self._call_off_watchdog()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """The exit code, once there is one."""
        code = self._process.poll()
        if code is not None:
            # Its id may be somebody else's from now on.
            self._call_off_watchdog()
        return code

    @property
    def joined(self) -> bool:
        """Whether it has partitions: only then does a stream of events have someone to read it."""
        with self._log.open("rb") as log:
            log.seek(self._log_begins)
            return f'"{names.LOG_ASSIGNED}"'.encode() in log.read()

    def stop(self, seconds: float) -> int | None:
        """Asks it to end; the exit code, or None when it did not end in time."""
        self._process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.ended

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line[:300]}" for line in lines[-TAIL_LINES:])

    def _call_off_watchdog(self) -> None:
        if self._watchdog.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._watchdog.pid, signal.SIGKILL)
            self._watchdog.wait()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
