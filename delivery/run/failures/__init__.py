"""Failures: what users read of errors, and what is kept of them for operators."""
