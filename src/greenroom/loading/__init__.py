"""Loading: agents, machines and actors that a command line names as `module:name` or
`file.py:name`, imported and checked.
"""
