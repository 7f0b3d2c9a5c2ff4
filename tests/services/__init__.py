"""Programs in other processes, over real sockets."""
