"""The planted adapters speak the default form, so its double is theirs."""

from providers.testing.conformance.declared import double

__all__ = ["double"]
