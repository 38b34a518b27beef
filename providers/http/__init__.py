"""HTTP calls to the outside: connections, limits, and what a failure proves."""
