"""What became of a user's events: the clients' reports, the agents' questions, the outcomes."""
