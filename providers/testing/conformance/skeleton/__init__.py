"""Acme: an adapter to start from, for an invented wire form that you replace."""
