"""The pure core: states, the table, the rules and the decisions. No I/O, no clock."""
