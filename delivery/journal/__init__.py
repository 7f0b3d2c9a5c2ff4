"""The journal: its interface, the backend in memory, and the writer that all users share."""
