"""What is kept in a database, in the SQL that SQLite and Postgres share."""
