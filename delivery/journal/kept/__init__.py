"""What a journal in memory keeps, a module for each noun."""
