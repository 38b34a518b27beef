"""Fuzz: the real doors of the service under invented input, judged by an oracle."""
