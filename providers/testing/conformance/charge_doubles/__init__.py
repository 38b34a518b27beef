"""Payment providers on their own side of the wire, for the kit of charges."""
