"""HTTP/1.1 as far as the front door needs it: the head of a request, and plain answers."""
