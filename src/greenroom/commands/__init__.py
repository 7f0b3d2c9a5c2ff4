"""Commands: what `greenroom COMMAND` runs, a module for each. `table` lists them unimported."""
