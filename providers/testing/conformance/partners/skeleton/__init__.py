"""The folder that `payment-service partner new` writes, for a partner called Acme."""
