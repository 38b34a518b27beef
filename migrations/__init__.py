"""The schema's history; `payment-service migrate` runs it."""
