"""Logs, metrics and traces: what on-call engineers see."""
