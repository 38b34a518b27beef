"""Gets the machine ready for `make field`."""
