"""What an AI agent does reaches the right user: in order, durably, and provably seen."""
