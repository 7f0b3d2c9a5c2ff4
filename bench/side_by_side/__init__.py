"""What the benchmarks over real sockets share: the servers, each in its process, and a client."""
