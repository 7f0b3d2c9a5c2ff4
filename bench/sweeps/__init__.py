"""The steps of retention, and steps that only compute, to compare them with."""
