"""A user's runs: what begins them, the order they run in, and those whose code has left."""
