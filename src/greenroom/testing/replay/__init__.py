"""Replay: the recorded messages of a crash, fed to a fresh actor, and the test that does the same."""
