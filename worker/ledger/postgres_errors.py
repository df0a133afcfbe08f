"""What PostgreSQL, the network and asyncpg say, as LedgerUnavailable: what happened, and what an operator can do.

No message holds the URL or a password: texts are ours, or the server's first line, which names users and tables only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from worker.errors import LedgerUnavailable

CHANGED: Final = "22P02"  # what the statement that writes a group fails with when another worker was first
AGAIN: Final = frozenset({CHANGED, "40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available
READ_ONLY: Final = frozenset({"25006"})
FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, EOFError)

_START: Final = "start PostgreSQL, or look at the host and port in WORKER_LEDGER__URL, and at what is between"
_IN_THE_WAY: Final = ("workers are in each other's way", "nothing, unless it stays so: look at PostgreSQL's load")
_MENDS: Final[dict[str, tuple[str, str]]] = {
    "08P01": ("it refused to begin", "where pgbouncer stands before it, add ?pgbouncer=true to WORKER_LEDGER__URL"),
    "22P02": _IN_THE_WAY,
    "28P01": ("the password was refused", "give the right user and password in WORKER_LEDGER__URL"),
    "28000": ("the login was refused", "look at the user and sslmode in WORKER_LEDGER__URL, and at pg_hba.conf"),
    "3D000": ("there is no such database", "create the database that WORKER_LEDGER__URL names, or name another"),
    "3F000": ("there is no such schema", "create the schema that the URL's search_path names, or name another"),
    "42501": ("the user may not do this", "grant the user CREATE and USAGE on the schema, and rights on its tables"),
    "42P01": ("the ledger's tables are not there", "start the worker anew: it creates them; nothing is known any more"),
    "53300": ("there are too many connections", "raise max_connections, run fewer workers, or use a pooler"),
    "25006": ("it takes no writes", "wait for the failover, or name the primary or all hosts in WORKER_LEDGER__URL"),
    "53100": ("the disk is full", "give PostgreSQL room on its disk"),
    "53200": ("the server is out of memory", "give PostgreSQL memory, or lower its max_connections and work_mem"),
    "55P03": ("others hold its rows locked", "look in pg_stat_activity for a transaction that does not end"),
    "57014": ("a statement took too long", "look at the load of PostgreSQL, and in pg_locks for who waits for whom"),
    "57P03": ("it is starting up, or recovering", "wait; if it stays so, look at PostgreSQL's log"),
}
_CLASSES: Final[dict[str, tuple[str, str]]] = {
    "08": ("the connection was lost", _START),
    "28": ("the login was refused", "look at the user and password in WORKER_LEDGER__URL, and at pg_hba.conf"),
    "40": _IN_THE_WAY,
    "53": ("the server is short of something", "look at PostgreSQL's log"),
    "57": ("the server was stopped", _START),
    "58": ("the server's machine fails", "look at PostgreSQL's log and at its disk"),
    "XX": ("the server found damage", "look at PostgreSQL's log; the ledger may have to come from a backup"),
}


def unavailable(error: BaseException, shown: str) -> LedgerUnavailable:
    """Any failure as LedgerUnavailable; `shown` says where the ledger is, without a password."""
    what, mend = _told(error)
    return LedgerUnavailable(f"the ledger at {shown}: {what}", mend)


def together(failures: Sequence[LedgerUnavailable]) -> LedgerUnavailable:
    """What failed with each of several hosts, as one; the host that answered knows best what can be done."""
    best = next((f for f in failures if f.mend != _START), failures[0])
    message = "; ".join(dict.fromkeys(str(failure) for failure in failures))
    return LedgerUnavailable(message, best.mend)


def sqlstate(error: BaseException) -> str:
    """The five characters by which PostgreSQL names what happened; empty when it did not say so."""
    return str(getattr(error, "sqlstate", None) or "")


def _told(error: BaseException) -> tuple[str, str]:
    state = sqlstate(error)
    if isinstance(error, asyncpg.exceptions.TargetServerAttributeNotMatched):
        return _MENDS["25006"]
    if state:
        what, mend = (
            _MENDS.get(state)
            or _CLASSES.get(state[:2])
            or ("it refused a statement", "this is a defect of the worker: please report it")
        )
        return f"{what} ({state}: {_first_line(error)})", mend
    if isinstance(error, TimeoutError):
        return "no answer in time", _START
    if isinstance(error, OSError):
        return f"no connection ({type(error).__name__}: {_reason(error)})", _START
    return f"the connection failed ({type(error).__name__})", _START


def _reason(error: OSError) -> str:
    return error.strerror or _first_line(error) or "no reason given"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error.args[0] if error.args else "").splitlines()), "")
