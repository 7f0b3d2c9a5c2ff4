"""History: timelines of runs and usage counts, read from a journal."""
