"""Declared state machines: the table and its check, steps, the runner, and a machine as an actor.

`diagram` writes a table as Mermaid, DOT or Markdown.
"""
