"""The HTTP API and the door for webhooks (contract, sections 7 and 8)."""
