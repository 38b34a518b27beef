"""PostgreSQL: the tables, the named statements, the adapters of the ports."""
