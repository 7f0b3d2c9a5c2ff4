"""The tree as the observer shows it: windows that follow it, and one node."""
