"""Servers that do what a test of the page needs, and no more."""
