"""A run: one turn of an agent, its grammar, its limits, and the receipts of its events."""
