"""The connection's machine (pure): its states and table, its data, what it takes and commands."""
