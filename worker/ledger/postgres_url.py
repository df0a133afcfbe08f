"""The URL of a ledger in PostgreSQL: its hosts, and what is ours in it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from worker.errors import SettingsError

SCHEMES = ("postgresql", "postgres")
POOLER = "pgbouncer"
UNREADABLE = "the ledger's URL cannot be read; postgresql://user:password@host/database can (in a password, / is %2F)"
ALLOWED = {
    POOLER: ("false", "true"),
    "target_session_attrs": ("read-write", "primary", "any"),
    "sslmode": ("prefer", "disable", "allow", "require", "verify-ca", "verify-full"),
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is: a URL for each host, with the password, so not to be shown; `shown` is for that.

    `pooler`: there is a pgbouncer before it.
    """

    urls: tuple[str, ...] = field(repr=False)
    shown: str
    pooler: bool = False


def address(url: str) -> Address:
    """Reads `postgresql://user:password@host:5432/database?sslmode=require`.

    Several hosts stand apart by commas; the one that takes writes is used. Parameters are those of libpq
    (`sslmode`, `sslrootcert`, `target_session_attrs`, ...) and settings of the session (`search_path`, `options`).
    `pgbouncer=true` is for a pooler that lends connections by the transaction: nothing is prepared, no setting is given
    at the start, and all is done in transactions. Raises SettingsError, without the password; also where a password
    with a `/`, `?` or `#` in it ends the host's place too early, so that the rest of it would pass for a path.
    """
    read = _read(url)
    if read is None:
        raise SettingsError([UNREADABLE])
    parts, query = read
    who, at, hosts = parts.netloc.rpartition("@")
    if parts.scheme not in SCHEMES:
        raise SettingsError([f"the ledger's URL starts with {parts.scheme}:, not with postgresql:"])
    for name, allowed in ALLOWED.items():
        if query.get(name, allowed[0]) not in allowed:
            raise SettingsError([f"the ledger's URL has {name}={query[name]}; allowed are {', '.join(allowed)}"])
    pooler = query.pop(POOLER, "false")
    query.setdefault("target_session_attrs", "read-write")
    rest = f"{parts.path}?{urlencode(query)}"
    urls = tuple(f"{parts.scheme}://{who}{at}{host}{rest}" for host in hosts.split(","))
    return Address(urls, f"{hosts or query.get('host', 'the default host')}{parts.path}", pooler == "true")


def _read(url: str) -> tuple[SplitResult, dict[str, str]] | None:
    """Its parts and its parameters, if it is whole."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        for host in parts.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port
    except ValueError:
        return None
    whole = url.startswith(f"{parts.scheme}://") and "@" not in parts.path and not parts.fragment
    return (parts, query) if whole else None
