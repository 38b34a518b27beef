"""payment-service: money movements that survive everything around them."""
