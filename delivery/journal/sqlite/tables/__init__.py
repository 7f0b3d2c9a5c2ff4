"""What the store of an SQLite journal keeps and answers, a module for each noun."""
