"""Tree: the terminal browser of a supervision tree. `browser` decides what is shown and selected,
`screen` draws it and asks the server, `terminal_keys` turns bytes into keys. `nodes` finds the
server in a cluster.
"""
