"""Web nodes and workers, each a process of its own."""
