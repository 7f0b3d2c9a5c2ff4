"""What nodes that share a journal tell each other."""
