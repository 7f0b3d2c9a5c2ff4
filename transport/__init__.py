"""Floor 4: transport. The wire, the connection, the server and its front door, the client."""
