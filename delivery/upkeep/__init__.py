"""Upkeep of a journal file that no server has open: check, compact, migrate, export."""
