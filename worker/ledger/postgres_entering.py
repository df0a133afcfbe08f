"""Claims on transactions in PostgreSQL: a statement for each group, in the order of the digests.

A row is one that was claimed, or entered: then it is nobody's. A claim is made where its row is locked, by the time it
is then; what stood there before is read as of the statement's beginning, so that a row which another added meanwhile is
neither claimed nor seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from worker.ledger.entering import Asked, Claimed, answers, first_asked, milliseconds
from worker.ledger.postgres_sql import NOW

CLAIM: Final = f"""
    WITH mine AS (
        INSERT INTO ledger_transactions AS old (id, owner, until_ms, created_at_ms, changed_at_ms)
        SELECT new.*, {NOW} + $3::bigint, {NOW}, {NOW} FROM unnest($1::bytea[], $2::text[]) AS new
        ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, until_ms = {NOW} + $3::bigint, changed_at_ms = {NOW}
        WHERE old.until_ms <= {NOW}
        RETURNING id
    )
    SELECT ARRAY(SELECT id FROM mine) AS mine,
           ARRAY(SELECT ROW(id, until_ms) FROM ledger_transactions WHERE id = ANY($1::bytea[])) AS until,
           {NOW} AS now_ms
"""  # noqa: S608
ENTER: Final = f"""
    INSERT INTO ledger_transactions AS old (id, created_at_ms, changed_at_ms)
    SELECT id, {NOW}, {NOW} FROM unnest($1::bytea[]) AS id
    ON CONFLICT (id) DO UPDATE SET owner = NULL, until_ms = NULL, changed_at_ms = {NOW}
    WHERE old.until_ms IS NOT NULL
"""  # noqa: S608
RELEASE: Final = """
    DELETE FROM ledger_transactions AS old WHERE id = ANY($1::bytea[]) AND owner = ANY (ARRAY(
        SELECT given.owner FROM unnest($1::bytea[], $2::text[]) AS given (id, owner) WHERE given.id = old.id
    ))"""


async def claim(asked: Asked, seconds: float, connection: Any) -> list[Claimed]:
    """See `Store.claim`."""
    row = await connection.fetchrow(CLAIM, *_columns([*first_asked(asked).items()]), milliseconds(seconds))
    until = dict(row["until"])
    return answers(asked, frozenset(row["mine"]), until, row["now_ms"], seconds)


async def enter(asked: Asked, connection: Any) -> None:
    """See `Store.entered`."""
    await connection.execute(ENTER, [*first_asked(asked)])


async def release(asked: Asked, connection: Any) -> None:
    """See `Store.release`."""
    await connection.execute(RELEASE, *_columns(sorted(asked)))


def _columns(asked: Asked) -> tuple[Sequence[bytes], Sequence[str]]:
    return [id_ for id_, _ in asked], [owner for _, owner in asked]
