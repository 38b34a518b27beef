"""Chaos: the real service under real faults, and an oracle that judges it at rest."""
