"""The last messages of an actor: how many bytes of them are kept, and which fields are secret."""
