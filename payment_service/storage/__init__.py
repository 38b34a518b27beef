"""PostgreSQL: the tables, the named statements and the adapters of the store's ports."""
