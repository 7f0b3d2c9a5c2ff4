"""`greenroom runs`: its commands, and what they print."""
