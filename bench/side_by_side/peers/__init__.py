"""The peers, each a program: `python -m side_by_side.peers.NAME` prints its address and serves."""
