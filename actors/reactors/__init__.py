"""Actors whose handlers await nothing, and the task that they share."""
