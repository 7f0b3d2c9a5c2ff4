"""Replay: a crash's recorded messages, fed to a fresh actor, and the test that does the same."""
