"""The statements of the ledger in PostgreSQL, and the arrays they take.

A group is read in one statement, so as it stood at one moment, and written in another, which fails as a whole when a
row it changes has been changed, added or taken out of sight since then: it is then read and worked on again. What is
read and not changed need not be checked: every rule that acts on what it read changes what it acts on. Nothing is
locked between the two, so nobody waits for a worker that was cut off, and a group that changes nothing writes nothing.
Rows are written in the order of their ids, orders, reservations, calls: no two groups can wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from worker.ledger.entries import Touched
from worker.ledger.notes import DAY_MS, packed
from worker.ledger.page import Page
from worker.ledger.rows import (
    CALLS,
    ORDERS,
    RESERVATIONS,
    Row,
    from_call,
    from_order,
    from_reservation,
    to_call,
    to_order,
    to_reservation,
)

NOW: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

READ: Final = f"""
    SELECT {NOW} AS now_ms,
           ARRAY(SELECT id FROM ledger_owners WHERE until_ms > {NOW}) AS live,
           ARRAY(SELECT ROW({", ".join(ORDERS)}, version) FROM ledger_orders WHERE id = ANY($1::text[])) AS orders,
           ARRAY(SELECT ROW({", ".join(RESERVATIONS)}, version) FROM ledger_reservations WHERE id = ANY($2::text[]))
               AS reservations,
           ARRAY(SELECT ROW({", ".join(CALLS)}, version) FROM ledger_calls WHERE key = ANY($3::text[])) AS calls
"""  # noqa: S608 - names of columns, of our own
SEARCH: Final = """
    WITH stretch AS MATERIALIZED (
        SELECT created_at_ms, marks, keys FROM ledger_notes WHERE created_at_ms < $1::bigint
        ORDER BY created_at_ms DESC FETCH FIRST ($2::bigint) ROWS WITH TIES
    )
    SELECT count(*) AS count, min(created_at_ms) AS oldest_ms, ARRAY(
        SELECT keys FROM stretch
        WHERE EXISTS (SELECT FROM unnest($3::bytea[]) AS mark WHERE position(mark IN marks) > 0)
        ORDER BY created_at_ms DESC
    ) AS found FROM stretch"""
SETTLED: Final = """
    SELECT key, fingerprint, status FROM ledger_calls
    WHERE key = ANY($1::text[]) AND status IS NOT NULL AND published"""
_PUBLISH: Final = """
    UPDATE ledger_calls SET published = true, death = NULL, version = version + 1, changed_at_ms = {now}
    WHERE key = ANY({keys}::text[]) AND status IS NOT NULL AND NOT published"""
PUBLISH: Final = _PUBLISH.format(keys="$1", now=NOW)
_NOTE: Final = "INSERT INTO ledger_notes (marks, keys, created_at_ms)"
RENEW: Final = f"""
    INSERT INTO ledger_owners (id, until_ms) VALUES ($1, {NOW} + $2::bigint)
    ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms
"""  # noqa: S608
RETIRE: Final = "DELETE FROM ledger_owners WHERE id = $1"
# Everything is worked out while the row is locked, the time too. Its commit does not wait for the disk.
_NOW_US: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us OFFSET 0"
RESERVE: Final = f"""
    INSERT INTO ledger_budgets AS old (name, next_us, at_us)
    SELECT $1, now_us + $4::bigint + $2::bigint * $3::bigint, now_us FROM ({_NOW_US}) AS clock
    WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL
    ON CONFLICT (name) DO UPDATE SET (next_us, at_us) = (
        SELECT CASE WHEN free > now_us + $5::bigint THEN now_us + $4 ELSE free END + $2 * $3, now_us
        FROM (
            SELECT now_us, greatest(old.next_us - greatest(old.at_us - now_us, 0), now_us + $4) AS free
            FROM ({_NOW_US}) AS clock
        ) AS first
    )
    RETURNING next_us - $2 * $3 AS start_us, at_us AS now_us
"""  # noqa: S608
_CLOCK_US: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_FREE_AHEAD: Final = f"old.next_us - greatest(old.at_us - {_CLOCK_US}, 0) - {_CLOCK_US}"
RESERVE_SPARE: Final = RESERVE.replace(
    "RETURNING", f"WHERE {_FREE_AHEAD} <= $4::bigint OR {_FREE_AHEAD} > $5::bigint RETURNING"
)
KEPT: Final = "SELECT id, value FROM ledger_kept WHERE room = $1 AND id >= $2 AND id < $3"
KEPT_ONE: Final = "SELECT value FROM ledger_kept WHERE room = $1 AND id = $2"
KEEP: Final = """
    INSERT INTO ledger_kept (room, id, value) SELECT $1, new.* FROM unnest($2::bigint[], $3::text[]) AS new
    ON CONFLICT (room, id) DO UPDATE SET value = excluded.value"""
KEEP_NEW: Final = "INSERT INTO ledger_kept (room, id, value) VALUES ($1, $2, $3) ON CONFLICT (room, id) DO NOTHING"
KEEP_FOR: Final = "UPDATE ledger_kept SET value = $3 WHERE room = $1 AND id = $2 AND value = $4"
DROP: Final = "DELETE FROM ledger_kept WHERE room = $1 AND id < $2"

# As old as the statement: an index cannot be searched by a time that goes on while it is.
_SINCE: Final = "(extract(epoch FROM statement_timestamp()) * 1000)::bigint"
_PRUNE: Final = """
    DELETE FROM {table} WHERE {id} = ANY (ARRAY(
        SELECT {id} FROM {table} AS old
        WHERE {begun} < {now} - $1::bigint AND {changed} < {now} - $1::bigint AND {passed}
        ORDER BY {begun} LIMIT $2 FOR UPDATE SKIP LOCKED
    ))"""
_LIVE: Final = f"EXISTS (SELECT FROM ledger_owners AS live WHERE live.until_ms > {_SINCE} AND {{theirs}})"
_THEIRS: Final = _LIVE.format(theirs="live.id = old.owner")
# What may go once it is old: not what waits to be published, nor what a worker that is alive has under way, since an
# outage of Rokt may outlast the retention, nor a claim that is not over. That an order's JSON has the worker's id in it
# is near enough.
_PASSED: Final = {
    "calls": ("key", f"CASE WHEN status IS NULL THEN NOT {_THEIRS} ELSE published END"),
    "reservations": ("id", f"NOT {_THEIRS}"),
    "orders": ("id", f"NOT {_LIVE.format(theirs='position(live.id IN old.under_way) > 0')}"),
    "transactions": ("id", f"coalesce(old.until_ms, 0) <= {_SINCE}"),
}
_BY_AGE: Final = {"begun": "created_at_ms", "changed": "changed_at_ms", "now": _SINCE}
PRUNE: Final = (
    *(
        _PRUNE.format(table=f"ledger_{table}", id=id_, passed=passed, **_BY_AGE)
        for table, (id_, passed) in _PASSED.items()
    ),
    _PRUNE.format(
        table="ledger_notes",
        id="ctid",
        begun="created_at_ms",
        changed="created_at_ms",
        now=f"{_SINCE} - {DAY_MS}",  # a call may be settled a day after it was noted
        passed="true",
    ),
    _PRUNE.format(table="ledger_owners", id="id", begun="until_ms", changed="until_ms", now=_SINCE, passed="true"),
)

_TYPES: Final = {
    "fingerprint": "bytea",
    "settled": "integer",
    "source_partition": "integer",
    "attempts": "integer",
    "redo": "integer",
    "http_status": "integer",
    "token": "bigint",
    "source_offset": "bigint",
    "version": "bigint",
    "maybe_sent": "boolean",
    "whole": "boolean",
    "published": "boolean",
}
Versions = dict[str, int]


def page(record: Mapping[str, Any]) -> tuple[Page, dict[str, Versions]]:
    """What was READ, as a page, and the version of each row on it, by table and id."""
    versions: dict[str, Versions] = {
        "orders": {row[0]: row[-1] for row in record["orders"]},
        "reservations": {row[0]: row[-1] for row in record["reservations"]},
        "calls": {row[0]: row[-1] for row in record["calls"]},
    }
    read = Page(
        now_ms=record["now_ms"],
        live=frozenset(record["live"]),
        entries={row[0]: from_call(row[:-1]) for row in record["calls"]},
        reservations={row[0]: from_reservation(row[:-1]) for row in record["reservations"]},
        orders={row[0]: from_order(row[:-1]) for row in record["orders"]},
    )
    return read, versions


def asked(touched: Touched) -> tuple[tuple[str, ...], ...]:
    """The arguments of READ."""
    return touched.orders, touched.reservations, touched.keys


def changes(worked: Page, versions: dict[str, Versions], published: Sequence[str]) -> tuple[str, list[Any]] | None:
    """The statement that writes what changed on a page, and marks these other calls as published; its arguments."""
    orders, reservations, calls = worked.changed_orders, worked.changed_reservations, worked.changed_entries
    count = len(orders) + len(reservations) + len(calls)
    if not count:
        return (PUBLISH, [published]) if published else None
    arguments: list[Any] = [worked.now_ms, count]
    if orders:
        arguments += _columns(orders, to_order, versions["orders"])
    if reservations:
        arguments += _columns(reservations, to_reservation, versions["reservations"])
    if calls:
        arguments += _columns(calls, to_call, versions["calls"])
    if published:
        arguments.append(published)
    if worked.noted:
        arguments += packed(worked.noted)
    return _written(bool(orders), bool(reservations), bool(calls), bool(published), bool(worked.noted)), arguments


def _columns(changed: Mapping[str, Any], to_row: Any, versions: Versions) -> list[Any]:
    ids = sorted(changed)
    rows: list[Row] = [to_row(changed[id_]) for id_ in ids]
    return [*zip(*rows, strict=True), [versions.get(id_, 0) + 1 for id_ in ids]]


@cache
def _written(orders: bool, reservations: bool, calls: bool, published: bool, noted: bool) -> str:
    """Writes rows of these tables; what it fails with when another worker was first stands in the server's log too."""
    parts: list[str] = []
    place = 3
    for wanted, table, columns in (
        (orders, "orders", (*ORDERS, "version")),
        (reservations, "reservations", (*RESERVATIONS, "version")),
        (calls, "calls", (*CALLS, "version")),
    ):
        if wanted:
            parts.append(f"{table} AS ({_upsert(table, columns, place)} RETURNING 1)")
            place += len(columns)
    found = " + ".join(f"(SELECT count(*) FROM {part.split()[0]})" for part in parts)  # noqa: S608
    if published:
        parts.append(f"published AS ({_PUBLISH.format(keys=f'${place}', now='$1')})")
        place += 1
    if noted:
        parts.append(f"noted AS ({_NOTE} VALUES (${place}::bytea, ${place + 1}::text, $1))")
    return f"""
        WITH {", ".join(parts)}
        SELECT CASE WHEN found = $2::bigint AND $1::bigint > 0 THEN 0
        ELSE ('no fault: another worker was first, this group of the ledger is done again; written: ' || found)::integer
        END FROM (SELECT {found} AS found) AS rows
    """  # noqa: S608


def _upsert(table: str, columns: Sequence[str], place: int) -> str:
    arrays = ", ".join(f"${place + n}::{_type(name)}[]" for n, name in enumerate(columns))
    names = ", ".join(columns)
    news = ", ".join(f"{name} = excluded.{name}" for name in (*columns[1:], "changed_at_ms"))
    return f"""
        INSERT INTO ledger_{table} AS old ({names}, created_at_ms, changed_at_ms)
        SELECT new.*, $1, $1 FROM unnest({arrays}) AS new
        ON CONFLICT ({columns[0]}) DO UPDATE SET {news} WHERE old.version = excluded.version - 1"""  # noqa: S608


def _type(column: str) -> str:
    return _TYPES.get(column) or ("bigint" if column.endswith("_ms") else "text")
