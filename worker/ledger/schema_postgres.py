"""The ledger's tables in PostgreSQL, one text for each version of the schema; a later one changes what is there.

The names start with `ledger_`, so that they may stand in a database that has other tables. Ids are compared as bytes,
which is quicker than by a language's rules and the same everywhere. Rows leave room on their pages, and what changes is
in no index, so that a change stays on its page: old rows are found by `created_at_ms`, and taken out by
`changed_at_ms`. `version` counts a row's changes.
"""

from __future__ import annotations

from typing import Final

VERSIONS: Final = (
    """
    CREATE TABLE ledger_calls (
        key text COLLATE "C" PRIMARY KEY,
        operation text NOT NULL,
        cart_id text,
        order_id text,
        fingerprint bytea NOT NULL,
        event_id text NOT NULL,
        occurred_at_ms bigint NOT NULL,
        source_topic text NOT NULL,
        source_partition integer NOT NULL,
        source_offset bigint NOT NULL,
        trace_id text,
        owner text,
        token bigint NOT NULL,
        begun_at_ms bigint NOT NULL,
        maybe_sent boolean NOT NULL,
        attempts integer NOT NULL,
        status text,
        http_status integer,
        items text,
        death text,
        settled_at_ms bigint,
        published boolean NOT NULL,
        version bigint NOT NULL,
        created_at_ms bigint NOT NULL,
        changed_at_ms bigint NOT NULL
    ) WITH (fillfactor = 75);
    CREATE INDEX ledger_calls_by_age ON ledger_calls (created_at_ms);

    CREATE TABLE ledger_reservations (
        id text COLLATE "C" PRIMARY KEY,
        state text NOT NULL,
        pending text,
        owner text,
        key text NOT NULL,
        version bigint NOT NULL,
        created_at_ms bigint NOT NULL,
        changed_at_ms bigint NOT NULL
    ) WITH (fillfactor = 75);
    CREATE INDEX ledger_reservations_by_age ON ledger_reservations (created_at_ms);

    CREATE TABLE ledger_orders (
        id text COLLATE "C" PRIMARY KEY,
        settled integer NOT NULL,
        under_way text,
        items text,
        whole boolean NOT NULL,
        called_off text,
        version bigint NOT NULL,
        created_at_ms bigint NOT NULL,
        changed_at_ms bigint NOT NULL
    ) WITH (fillfactor = 75);
    CREATE INDEX ledger_orders_by_age ON ledger_orders (created_at_ms);

    CREATE TABLE ledger_owners (
        id text COLLATE "C" PRIMARY KEY,
        until_ms bigint NOT NULL
    );
    """,
    """
    CREATE TABLE ledger_budgets (
        name text COLLATE "C" PRIMARY KEY,
        next_us bigint NOT NULL,
        at_us bigint NOT NULL
    ) WITH (fillfactor = 10);
    """,
    """
    CREATE TABLE ledger_notes (
        marks bytea NOT NULL,
        keys text NOT NULL,
        created_at_ms bigint NOT NULL
    );
    ALTER TABLE ledger_notes ALTER COLUMN marks SET STORAGE EXTERNAL;
    CREATE INDEX ledger_notes_by_age ON ledger_notes (created_at_ms);
    """,
    """
    ALTER TABLE ledger_calls ADD COLUMN redo integer NOT NULL DEFAULT 0;
    CREATE TABLE ledger_kept (
        room text COLLATE "C" NOT NULL,
        id bigint NOT NULL,
        value text NOT NULL,
        PRIMARY KEY (room, id)
    );
    """,
    "ALTER TABLE ledger_calls ADD COLUMN span_id text;",
    """
    CREATE TABLE ledger_transactions (
        id bytea PRIMARY KEY,
        owner text,
        until_ms bigint,
        created_at_ms bigint NOT NULL,
        changed_at_ms bigint NOT NULL
    ) WITH (fillfactor = 75);
    CREATE INDEX ledger_transactions_by_age ON ledger_transactions (created_at_ms);
    """,
)
