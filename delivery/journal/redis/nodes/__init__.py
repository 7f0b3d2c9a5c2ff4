"""Nodes that share a journal in Redis: their leases, notices, wake-ups and queue."""
