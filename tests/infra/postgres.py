"""A real PostgreSQL for the tests: a given one's binaries, this machine's, or the distribution's packages."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from infra.brokers import fresh
from infra.once import start_or_remove
from infra.ports import free_port
from infra.postgres_binaries import Binaries, find_binaries, unprivileged
from infra.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

USER: Final = "postgres"
PASSWORD: Final = "a password of the tests"
INIT_SECONDS: Final = 60.0
START_SECONDS: Final = 30.0
SQL_SECONDS: Final = 10.0
MAY_WRITE: Final = {"default_transaction_read_only": "off"}
SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "hot_standby": "on",
}


class Postgres:
    """One server on a port of the loopback interface that it keeps for all its life; `settings` are of its file."""

    def __init__(self, binaries: Binaries, **settings: str) -> None:
        self.port: Final = free_port()
        self.restartable: Final = True
        self._binaries = binaries
        self._settings = SETTINGS | settings
        environment = binaries.environment
        self._process = ServerProcess("postgres", self.answers, user=unprivileged(), environment=environment)
        self._data = self._process.folder / "data"

    @property
    def version(self) -> str:
        return self._binaries.version

    def url(self, database: str = "postgres", *, user: str = USER, password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._initialize()
        self._process.start(self._command(), START_SECONDS)

    def fresh_database(self, options: str = "") -> str:
        """The URL of a new, empty database; `options` as CREATE DATABASE takes them."""
        name = fresh("ledger").replace("-", "_")
        self.sql(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> list[Any]:
        """Runs one statement as the superuser, also where nothing may be written by default; its rows."""
        with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
            return thread.submit(asyncio.run, self._run(statement, database)).result()

    def processes(self) -> list[int]:
        """The ids of every one of them."""
        return self._process.processes()

    def stop(self) -> None:
        """As an operator does: open connections are told, and closed."""
        self._process.stop(number=signal.SIGINT)

    def kill(self) -> None:
        """As a crash of the machine does, every process at once; what was committed stays."""
        self._process.kill()

    def restart(self) -> None:
        self.stop()
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self.start()

    def standby(self) -> Postgres:
        """A server of its own that follows this one, and is read-only until it is promoted. Its owner removes it."""
        other = Postgres(self._binaries)
        copy = ["-D", str(other._data), "-d", self.url(), "--write-recovery-conf", "--checkpoint=fast"]
        other._process.run([self._binaries.path("pg_basebackup"), *copy], INIT_SECONDS)
        start_or_remove(other)
        return other

    def promote(self) -> None:
        self.sql("SELECT pg_promote(true, 20)")

    def answers(self) -> bool:
        try:
            return bool(self.sql("SELECT 1"))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False

    def remove(self) -> None:
        self.stop()
        self._process.remove()

    def __str__(self) -> str:
        return f"PostgreSQL: {self.version} at 127.0.0.1:{self.port} ({self._binaries.found})"

    def _initialize(self) -> None:
        secret = self._process.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        options = ["-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "-N"]
        self._process.run([self._binaries.path("initdb"), "-D", str(self._data), *options], INIT_SECONDS)

    def _command(self) -> list[str]:
        own = {"port": str(self.port), "unix_socket_directories": str(self._process.folder)}
        settings = [f"--{name}={value}" for name, value in (self._settings | own).items()]
        return [self._binaries.path("postgres"), "-D", str(self._data), *settings]

    async def _run(self, statement: str, database: str) -> list[Any]:
        connection = await asyncpg.connect(
            self.url(database), timeout=SQL_SECONDS, command_timeout=SQL_SECONDS, server_settings=MAY_WRITE
        )
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close(timeout=SQL_SECONDS)


def find() -> tuple[Postgres, Callable[[], None]]:
    """A running server and how to give it back; else the reason why there is none."""
    server = Postgres(find_binaries())
    start_or_remove(server)
    return server, server.remove
