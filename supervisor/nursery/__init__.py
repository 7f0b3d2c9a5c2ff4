"""The one nursery of a tree, and how the nurseries of trio end."""
