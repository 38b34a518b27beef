"""One promise of core and how it is tried, and the parts of core there are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from providers.testing.conformance.core.stage import CoreStage

Play = Callable[[CoreStage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CoreArea:
    """A part of core, who needs it, and what trying it does there."""

    name: str
    needed: str
    does: str
    is_of_holds: bool = False


REACH: Final = CoreArea("reach", "always", "asks it to let go of what was never held")
BALANCE: Final = CoreArea(
    "balance",
    "always",
    "holds {money} of merchant {merchant} and lets it go again",
    is_of_holds=True,
)
PAYOUTS: Final = CoreArea(
    "payouts",
    "always",
    "commits some of these holds and takes the money back in",
    is_of_holds=True,
)
NOTIFICATIONS: Final = CoreArea(
    "notifications", "always", "tells it the ends of orders that there are not"
)
LEDGER: Final = CoreArea(
    "ledger",
    "by `verify --core` and `doctor`",
    "reads its ledger of this hour",
    is_of_holds=True,
)
MEMBERSHIPS: Final = CoreArea(
    "memberships",
    "with partner links",
    "makes customer {customer} a member of {partner}, and revokes it",
)
AREAS: Final = (REACH, BALANCE, PAYOUTS, NOTIFICATIONS, LEDGER, MEMBERSHIPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreScenario:
    """One promise of core."""

    name: str
    proves: str
    area: CoreArea
    play: Play

    def __str__(self) -> str:
        """Return the name, as pytest shows it."""
        return self.name


SCENES: Final[list[CoreScenario]] = []
"""All of them, as their modules were read."""


def scene(area: CoreArea, name: str, proves: str) -> Callable[[Play], Play]:
    """Add a scenario to the list."""

    def keep(play: Play) -> Play:
        SCENES.append(CoreScenario(name=name, proves=proves, area=area, play=play))
        return play

    return keep
