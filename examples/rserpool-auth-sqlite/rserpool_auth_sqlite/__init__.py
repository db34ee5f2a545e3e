"""Keys and rules of an rserpool registrar in SQLite."""
