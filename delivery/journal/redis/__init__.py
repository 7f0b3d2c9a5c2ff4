"""The journal in Redis or Valkey: rows are kept there, and read from a copy."""
