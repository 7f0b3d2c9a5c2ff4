"""What a copy has for several nodes beside the tables of a file: they are those of Postgres."""

from __future__ import annotations

from typing import Final

# Numbers of nodes are drawn in Redis. Those of notices rise with the commits: a commit is made in a
# copy that has all before it, and the newest notice is never forgotten.
NODES: Final = """
CREATE TABLE node (
 number INTEGER PRIMARY KEY,
 name TEXT NOT NULL,
 version TEXT NOT NULL,
 started INTEGER NOT NULL,
 agents TEXT NOT NULL,
 address TEXT
) STRICT;
ALTER TABLE open_run ADD COLUMN node INTEGER;
ALTER TABLE open_run ADD COLUMN queued INTEGER;
CREATE INDEX open_run_node ON open_run (node);
CREATE TABLE notice (
 number INTEGER PRIMARY KEY,
 node INTEGER,
 at INTEGER NOT NULL,
 about TEXT NOT NULL,
 what TEXT NOT NULL,
 of TEXT NOT NULL
) STRICT;
"""
