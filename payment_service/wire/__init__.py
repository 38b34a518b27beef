"""The wire forms: what comes in is read strictly, what goes out is drawn once."""
