"""Commands: what `greenroom COMMAND` runs, one module a command or a group of them. `table` lists them
before they are imported.
"""
