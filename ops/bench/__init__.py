"""Measures the service on one machine, beside a bare loop and beside a rival."""
