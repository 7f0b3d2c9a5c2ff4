"""The journal: its interface, the backend in memory, questions to it, the pace of commits."""
