"""Several nodes as processes, on one Postgres."""
