"""Payout providers: the port, and one package for each adapter."""
