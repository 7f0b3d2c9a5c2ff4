"""Ids of older systems: how they are read, and what they mean."""
