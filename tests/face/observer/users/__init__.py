"""The observer on users, their runs, and why they did not see something."""
