"""What Postgres needs for runs that wait for a worker: the open runs of node 0."""

from __future__ import annotations

from typing import Final

# `open_run.queued`: when the run was last put into the queue; NULL for a run that no worker is to
# begin. Those of node 0 wait; identities begin at 1. Sub-runs have the request of their run, and
# move with it.
#
# Claims come one after the other, so that each counts the runs of the others. The lock is held for
# one statement, which the server carries out to its end whatever becomes of the worker. An empty
# queue is left before anything is written: such a claim does not wait for the disk.
CLAIMS: Final = """
ALTER TABLE node ADD COLUMN agents TEXT[];
ALTER TABLE open_run ADD COLUMN queued TIMESTAMPTZ;
CREATE INDEX open_run_queued ON open_run ("user", request) WHERE queued IS NOT NULL;

CREATE FUNCTION begin_claim(me BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM open_run WHERE node = 0) THEN
        RETURN false;
    END IF;
    PERFORM hold(me);
    PERFORM pg_advisory_xact_lock(1735553652);
    RETURN true;
END $$;

CREATE FUNCTION claim_numbers(me BIGINT, numbers BIGINT[]) RETURNS VOID LANGUAGE sql AS $$
    UPDATE open_run SET node = me FROM open_run AS whole
    WHERE whole.number = ANY (numbers) AND open_run.node = 0 AND (
        open_run.number = whole.number
        OR open_run."user" = whole."user" AND open_run.request = whole.request
            AND open_run.parent IS NOT NULL)
$$;

CREATE FUNCTION claim(me BIGINT, names TEXT[], most BIGINT, per_user BIGINT) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE node SET agents = names WHERE number = me AND agents IS DISTINCT FROM names;
    IF NOT begin_claim(me) THEN
        RETURN;
    END IF;
    PERFORM claim_numbers(me, ARRAY(
        WITH taken AS (
            SELECT "user", count(*) AS runs FROM open_run
            WHERE queued IS NOT NULL AND node != 0 GROUP BY "user"),
        waiting AS (
            SELECT number, coalesce(taken.runs, 0)
                + row_number() OVER (PARTITION BY open_run."user" ORDER BY number) AS place
            FROM open_run JOIN going_on USING ("user", run) LEFT JOIN taken USING ("user")
            WHERE node = 0 AND queued IS NOT NULL AND going_on.agent = ANY (names))
        SELECT number FROM waiting WHERE place <= per_user ORDER BY place, number
        LIMIT greatest(0, most - (
            SELECT count(*) FROM open_run WHERE node = me AND queued IS NOT NULL))));
END $$;

CREATE FUNCTION withdraw(me BIGINT, answering TEXT, late DOUBLE PRECISION) RETURNS BOOLEAN
LANGUAGE plpgsql AS $$
DECLARE attended BOOLEAN := EXISTS (
    SELECT 1 FROM node WHERE answering = ANY (agents) AND expires > clock_timestamp());
BEGIN
    IF begin_claim(me) THEN
        PERFORM claim_numbers(me, ARRAY(
            SELECT number FROM open_run JOIN going_on USING ("user", run)
            WHERE node = 0 AND queued IS NOT NULL AND going_on.agent = answering
                AND (stopped = 1 OR NOT attended
                    AND queued < clock_timestamp() - make_interval(secs => late))));
    END IF;
    RETURN attended;
END $$;
"""

QUEUE: Final = """
    UPDATE open_run SET node = 0, queued = clock_timestamp()
    WHERE user = ? AND run = ? AND queued IS NULL
"""
