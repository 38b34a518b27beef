"""A step by which a payment provider collects: charged once, or refunded."""
