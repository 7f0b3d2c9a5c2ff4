"""Output: what commands print, on terminals and in pipes, and the files that they write."""
