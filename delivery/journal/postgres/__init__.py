"""The journal in Postgres: one server at a time writes it."""
