"""Retention in both journals: the rule, and the steps of a pass that forgets by it."""
