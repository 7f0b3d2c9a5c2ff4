"""What a connection to Postgres takes beyond a file of SQLite."""
