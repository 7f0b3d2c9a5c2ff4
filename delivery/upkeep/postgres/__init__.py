"""Upkeep of a journal in Postgres."""
