"""Core over HTTP: the client, the shapes that both sides send, and its ledger's reader.

``shapes`` is what `payment-service spec core` shows whoever writes core; ``client``
asks, ``answers`` reads what comes back, ``ledger`` walks through the entries.
"""

from providers.core.client import HttpCore

__all__ = ["HttpCore"]
