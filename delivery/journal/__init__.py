"""The journal: its interface, the backend in memory, questions to it, and the pace of its commits."""
