"""The records' database: SQLite in WAL mode, or PostgreSQL by its URL. Tables, migrations, transactions."""
