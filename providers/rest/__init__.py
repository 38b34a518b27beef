"""The adapter `rest`: the default wire form of a payout provider."""

from providers.rest.provider import RestProvider

__all__ = ["RestProvider"]
