"""History: what happened in a run, and how much was done for whom, read from a journal."""
