"""What databases that several nodes share have in common: leases, open runs, the queue."""
