"""Floor 2: supervision. Child specs, supervisors, restart intensity, tree snapshots."""
