"""What all adapters have in common when they read a provider's list of payouts."""

from collections.abc import Mapping

Row = Mapping[str, object]
"""``reference``, ``status``, ``amount``, ``currency``, ``at``: the default form's."""


class NoStatement(Exception):
    """A page did not come, or cannot be read; the message says which and why."""


class NotOffered(NoStatement):
    """The provider has no such list."""
