"""Questions of a run to its user: how they are asked, checked, kept and ended."""
