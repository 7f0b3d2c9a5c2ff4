"""Forked children of this process: what they must not keep, and who keeps a lock all the same."""
