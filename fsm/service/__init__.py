"""A step of a service: done once, asked about, undone where its order fails."""
