"""Journals that several nodes share, whichever the engine."""
