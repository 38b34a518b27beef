"""The double of the planted adapters: that of the adapter `rest`."""

from providers.testing.conformance.partners.declared import double

__all__ = ["double"]
