"""The policy of a service: how often and how long it is asked, as the core sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from fsm.engine.backoff import Backoff

_RETRY: Final = Backoff(
    first=timedelta(milliseconds=500), factor=2.0, longest=timedelta(seconds=30)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """What holds for a step whose service has been away for ``after``."""

    after: timedelta
    result: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePolicy:
    """How a service may be treated (contract, section 5, ``[services.NAME]``).

    ``asks`` says that it can be asked what became of a step; of one that cannot the do
    is repeated with its key. A step that was tried ``attempts`` times, or for longer
    than ``deadline``, is given up. ``default`` then holds instead, or earlier.
    """

    asks: bool = True
    retry: Backoff = _RETRY
    attempts: int = 10
    deadline: timedelta | None = None
    default: Default | None = None
