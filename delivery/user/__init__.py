"""The user actor, single writer of one user's sequence, and its parts."""
