"""What the modules for frameworks share: a run's writer, approvals, deltas, values as JSON."""
