"""The observer: a page that shows visitors a running server, and the endpoints it alone needs."""
