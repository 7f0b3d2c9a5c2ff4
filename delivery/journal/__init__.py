"""The journal: what it promises, the one in memory, and the writer all users share."""
