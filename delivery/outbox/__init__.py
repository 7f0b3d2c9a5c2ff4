"""The outbox: one user's sequence, and how far each connection and session has got in it."""
