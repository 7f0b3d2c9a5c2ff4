"""The journal in Redis or Valkey: its rows are kept there, and read from a copy beside the server."""
