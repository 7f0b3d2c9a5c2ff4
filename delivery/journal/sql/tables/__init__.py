"""What the store keeps and answers, a module for each noun."""
