"""The planted adapters speak the default form, so its double is theirs."""

from providers.conformance.declared import double

__all__ = ["double"]
