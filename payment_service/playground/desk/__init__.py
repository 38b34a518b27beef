"""The desk: a whole payment-service to try things on (`payment-service dev`)."""
