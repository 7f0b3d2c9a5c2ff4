"""Looking at a running tree: its snapshot, a census, the CPU time of each child, their JSON."""
