"""What a run knows of its earlier attempts: their number, and the results of their steps."""
