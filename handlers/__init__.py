"""What the service does, one module for each verb; functions that say how it went."""
