"""Crashes of this process and earlier ones, for visitors of the admin endpoints."""
