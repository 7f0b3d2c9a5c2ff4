"""The outbox: one user's sequence of events, and how far each connection and session has got."""
