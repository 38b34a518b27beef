"""Says in words what of a provider's wire form decides what is sent, and as whom."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from fsm.domain.durations import format_duration
from providers.config import ProviderTable
from providers.config.oauth2 import OAuth2Auth


def form_in_words(table: ProviderTable) -> Iterator[str]:
    """Give one sentence for each choice of the form that money hangs on."""
    if table.auth is not None and table.auth.oauth2 is not None:
        yield from _token(table.auth.oauth2)


def _token(auth: OAuth2Auth) -> Iterator[str]:
    host, early = urlsplit(auth.token_url).hostname, format_duration(auth.early)
    yield f"A token of {host} says who asks, renewed {early} before its end."
    yield "Without a token nothing is sent, and the next provider is tried."
    yield "A refused token (401) is no answer about the money, and is renewed."
