"""How a client finds and reaches a server."""
