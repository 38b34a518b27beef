"""A secret of the configuration file, and from when until when it counts."""

from pydantic import SecretStr

from providers.config.table import Table
from providers.config.values import Moment
from providers.signatures import Secret


class SecretTable(Table):
    """One of several secrets, so that they can be exchanged without a gap."""

    value: SecretStr
    not_before: Moment | None = None
    not_after: Moment | None = None

    def get_secret_value(self) -> str:
        """Return the secret itself, as a :class:`SecretStr` does."""
        return self.value.get_secret_value()

    @property
    def secret(self) -> Secret:
        """Return it as the schemes want it."""
        return Secret(
            value=self.get_secret_value(),
            not_before=self.not_before,
            not_after=self.not_after,
        )
