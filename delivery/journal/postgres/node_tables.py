"""What Postgres needs for several nodes: their leases, which run is whose, and notices."""

from __future__ import annotations

from typing import Final

TAKEN: Final = "GR002"
"""The SQLSTATE of `hold`: the node's row is gone, because another node has taken its lease."""

# A node holds its row in each append: who takes a lease deletes the row, and passes by one that is
# held. Renewing does not wait for an append, nor an append for it
# (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS).
#
# `log_end.writer` is the node that appended last. It is unset when a thread is erased: what other
# nodes know of the log's end is then no longer true, although its last offset is.
NODES: Final = """
CREATE TABLE node (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    started TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    expires TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE open_run ADD COLUMN node BIGINT
    DEFAULT CAST(nullif(current_setting('greenroom.node', true), '') AS BIGINT);
CREATE INDEX open_run_node ON open_run (node);
ALTER TABLE log_end ADD COLUMN writer BIGINT;

CREATE FUNCTION hold(me BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM node WHERE number = me FOR KEY SHARE;
    IF me IS NOT NULL AND NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'GR002', MESSAGE = 'another node has taken the lease';
    END IF;
    PERFORM set_config('greenroom.node', coalesce(me::TEXT, ''), true);
END $$;

DROP FUNCTION fence(TEXT[], BIGINT[], BIGINT[]);
CREATE FUNCTION fence(
    me BIGINT, users TEXT[], lasts BIGINT[], counts BIGINT[], remembered BOOLEAN[]
) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE moved TEXT[];
BEGIN
    PERFORM hold(me);
    INSERT INTO log_end SELECT known.name, 0 FROM unnest(users, lasts) AS known (name, last)
        WHERE known.last = 0 ORDER BY known.name ON CONFLICT DO NOTHING;
    PERFORM 1 FROM log_end WHERE "user" = ANY (users) ORDER BY "user" FOR NO KEY UPDATE;
    WITH updated AS (
        UPDATE log_end SET last = log_end.last + known.added, writer = me
        FROM unnest(users, lasts, counts, remembered) AS known (name, last, added, remembered)
        WHERE log_end."user" = known.name AND log_end.last = known.last
            AND (NOT known.remembered OR log_end.writer IS NOT DISTINCT FROM me)
        RETURNING known.name)
    SELECT array_agg(updated.name) INTO moved FROM updated;
    IF coalesce(cardinality(moved), 0) < cardinality(users) THEN
        RAISE EXCEPTION USING ERRCODE = 'GR001', MESSAGE = 'a log has gone on', DETAIL = (
            SELECT json_build_array(known.name, coalesce(log_end.last, 0), known.last)
            FROM unnest(users, lasts) AS known (name, last)
            LEFT JOIN log_end ON log_end."user" = known.name
            WHERE NOT known.name = ANY (coalesce(moved, '{}')) ORDER BY known.name LIMIT 1);
    END IF;
END $$;
"""

ADDRESSES: Final = """
ALTER TABLE node ADD COLUMN address TEXT;
"""

# Retention deletes a little all the time. By its own settings the server waits until a fifth of a
# table is dead (ADR 0051); what is over 2 kB is in the table's own store (TOAST).
STORAGE: Final = """
ALTER TABLE log SET (
    autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE file_part SET (
    autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);
"""

# Numbers are drawn in another order than that of the commits: which notices are new, a reader tells
# by the transactions that it did not see (`node_reads.py`). The column is not called "user": what
# an erasure must still tell other nodes is no row of the user's.
NOTICES: Final = """
CREATE TABLE notice (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction BIGINT NOT NULL DEFAULT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT),
    node BIGINT,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    about TEXT COLLATE "C" NOT NULL,
    what TEXT COLLATE "C" NOT NULL,
    of TEXT NOT NULL
);
CREATE INDEX notice_transaction ON notice (transaction);
"""
