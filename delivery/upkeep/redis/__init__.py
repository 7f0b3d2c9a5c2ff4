"""Upkeep of a journal in Redis."""
