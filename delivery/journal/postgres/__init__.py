"""The journal in Postgres, for several nodes at once."""
