"""The observer's endpoints on users and their runs."""
