"""Help for tests: the pytest plugin."""
