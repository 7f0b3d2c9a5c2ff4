"""The connection's socket: the WebSocket, its writer, its rates and its signs of life."""
