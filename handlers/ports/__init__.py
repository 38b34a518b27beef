"""What the handlers need of the outside, as protocols; adapters implement them."""
