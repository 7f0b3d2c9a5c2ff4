"""The user actor, the single writer of one user's sequence, and its parts."""
