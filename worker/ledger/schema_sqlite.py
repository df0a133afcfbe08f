"""The ledger's tables in SQLite, the statements of each version of the schema; one that was released never changes.

The columns are those of worker/ledger/rows.py, and `changed_at_ms` for the retention. SQLite keeps its rows in the
order in which they came, so what is oldest is found without an index on a time; a row that is written again stays in
its place, which is why the key is not the table itself (WITHOUT ROWID): settling would change a page in the middle of
ten million rows instead of the one that was written a moment ago.
"""

from __future__ import annotations

from typing import Final

Script = tuple[str, ...]

VERSIONS: Final[tuple[Script, ...]] = (
    (
        """
        CREATE TABLE calls (
            key TEXT NOT NULL PRIMARY KEY,
            operation TEXT NOT NULL,
            cart_id TEXT,
            order_id TEXT,
            fingerprint BLOB NOT NULL,
            event_id TEXT NOT NULL,
            occurred_at_ms INTEGER NOT NULL,
            source_topic TEXT NOT NULL,
            source_partition INTEGER NOT NULL,
            source_offset INTEGER NOT NULL,
            trace_id TEXT,
            owner TEXT,
            token INTEGER NOT NULL,
            begun_at_ms INTEGER NOT NULL,
            maybe_sent INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            status TEXT,
            http_status INTEGER,
            items TEXT,
            death TEXT,
            settled_at_ms INTEGER,
            published INTEGER NOT NULL,
            changed_at_ms INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE reservations (
            id TEXT NOT NULL PRIMARY KEY,
            state TEXT NOT NULL,
            pending TEXT,
            owner TEXT,
            key TEXT NOT NULL,
            changed_at_ms INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE orders (
            id TEXT NOT NULL PRIMARY KEY,
            settled INTEGER NOT NULL,
            under_way TEXT,
            items TEXT,
            whole INTEGER NOT NULL,
            called_off TEXT,
            changed_at_ms INTEGER NOT NULL
        )
        """,
        "CREATE TABLE owners (owner TEXT NOT NULL PRIMARY KEY, until_ms INTEGER NOT NULL) WITHOUT ROWID",
    ),
    (
        """
        CREATE TABLE budgets (
            name TEXT NOT NULL PRIMARY KEY,
            next_us INTEGER NOT NULL,
            at_us INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
    ),
    ("CREATE TABLE notes (marks BLOB NOT NULL, keys TEXT NOT NULL, changed_at_ms INTEGER NOT NULL)",),
    (
        "ALTER TABLE calls ADD COLUMN redo INTEGER NOT NULL DEFAULT 0",
        """
        CREATE TABLE kept (
            room TEXT NOT NULL,
            id INTEGER NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (room, id)
        ) WITHOUT ROWID
        """,
    ),
    ("ALTER TABLE calls ADD COLUMN span_id TEXT",),
    (
        """
        CREATE TABLE transactions (
            id BLOB NOT NULL PRIMARY KEY,
            owner TEXT,
            until_ms INTEGER,
            changed_at_ms INTEGER NOT NULL
        )
        """,
    ),
)
