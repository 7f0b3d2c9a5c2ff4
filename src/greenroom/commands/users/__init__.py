"""What operators do about one user."""
