"""Text that is safe to show: of objects whose own `str` fails, and of strangers, in one line."""
