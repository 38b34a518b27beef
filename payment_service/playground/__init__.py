"""A world in a box: embedded servers and the demo, never part of the service."""
