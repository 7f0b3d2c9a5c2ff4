"""The journal in an SQLite file: its one thread, its one writer, its readers."""
