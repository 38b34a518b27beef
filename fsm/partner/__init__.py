"""A partner's link: a card of a customer is linked at a partner, or unlinked."""
