"""The journal in an SQLite file: its single thread, its single writer, its readers."""
