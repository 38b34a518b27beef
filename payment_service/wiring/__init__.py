"""The composition root: which adapters the handlers get, in which roles."""
