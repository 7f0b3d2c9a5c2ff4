"""Crash reports: what a report holds, the log that keeps them, and messages and errors as JSON."""
