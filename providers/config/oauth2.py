"""The table ``auth.oauth2``: client credentials (RFC 6749, section 4.4)."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final, Literal

from pydantic import Field, SecretStr

from providers.config.fields import Duration, HttpUrl
from providers.config.table import Table

OURS: Final = frozenset({"grant_type", "scope", "client_id", "client_secret"})
"""The fields of the form that have a key of their own, or are always the same."""
TLS: Final = "https://"

Problems = Iterator[tuple[str, str]]


class OAuth2Auth(Table):
    """A token that is fetched with a client's own credentials, and then the bearer.

    ``early`` is how long before its end it is renewed, ``lifetime`` how long one lasts
    whose answer does not say. ``parameters`` are what else the form has to hold.
    """

    token_url: HttpUrl
    client_id: str = Field(min_length=1, repr=False)
    client_secret: SecretStr
    client_auth: Literal["basic", "body"] = "basic"
    scope: str | None = Field(default=None, min_length=1)
    parameters: Mapping[str, str] = Field(default={}, repr=False)
    early: Duration = timedelta(minutes=1)
    lifetime: Duration = timedelta(minutes=5)

    @property
    def fields(self) -> dict[str, str]:
        """Return what the form holds, without the secret where a header has it."""
        said = {"grant_type": "client_credentials", **self.parameters}
        if self.scope is not None:
            said["scope"] = self.scope
        if self.client_auth == "body":
            said["client_id"] = self.client_id
            said["client_secret"] = self.client_secret.get_secret_value()
        return said


def unsafe_oauth2(auth: OAuth2Auth, base_url: str | None) -> Problems:
    """Name what would give the secret away, or fetch no token."""
    if not auth.client_secret.get_secret_value():
        yield "auth.oauth2.client_secret", "must not be empty"
    if (base_url or "").startswith(TLS) and not auth.token_url.startswith(TLS):
        reason = "the secret would be sent for everybody to read"
        yield "auth.oauth2.token_url", f"must be https, as base_url is: {reason}"
    for name in sorted(OURS & auth.parameters.keys()):
        yield f"auth.oauth2.parameters.{name}", "has a key of its own, or is said"
