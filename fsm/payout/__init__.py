"""One attempt at a payout provider: its words, its table, its rules."""
