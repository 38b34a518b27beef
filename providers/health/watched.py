"""Providers whose creates the keeper watches, and who are left alone on wish."""

from dataclasses import replace
from typing import Final, TypeVar

from providers.health.keeper import Keeper
from providers.health.window import Heard
from providers.port import (
    Accepted,
    CancelAnswer,
    CreateAnswer,
    Declined,
    NotSent,
    Payout,
    Provider,
    Providers,
    StatusAnswer,
    Succeeded,
    Unclear,
)
from providers.wrapped import WrappedProvider, WrappedProviders

Answer = TypeVar("Answer")
CLIENT_ERRORS: Final = frozenset(range(400, 500)) - {408, 425, 429}


def heard_in(answer: CreateAnswer) -> Heard | None:
    """Return what an answer to a create says about the provider, None for nothing."""
    match answer:
        case Succeeded() | Accepted():
            return Heard.TAKEN
        case Declined():
            return Heard.REFUSED
        case NotSent(ours=ours):
            return None if ours else Heard.FAILED
        case Unclear(evidence=evidence):
            # It looked at the request and did not like it: that is no outage.
            answered = evidence.get("http_status") in CLIENT_ERRORS
            return Heard.REFUSED if answered else Heard.FAILED


class WatchedProvider(WrappedProvider):
    """A provider, with its keeper listening."""

    def __init__(self, provider: Provider, keeper: Keeper) -> None:
        super().__init__(provider)
        self._keeper = keeper

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout; while it is under way it may turn out to hang."""
        call, heard = self._keeper.began(self.name), None
        try:
            answer = await self._provider.create(payout)
            heard = heard_in(answer)
        except Exception:
            heard = Heard.FAILED
            raise
        finally:
            self._keeper.ended(self.name, call, heard)
        return self._heeded(answer)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it."""
        return self._heeded(await self._provider.status(payout))

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it."""
        return self._heeded(await self._provider.cancel(payout))

    def _heeded(self, answer: Answer) -> Answer:
        """Leave the provider alone where it has asked for it, for a bounded time."""
        if isinstance(answer, NotSent | Unclear) and answer.after:
            granted = self._keeper.hush(self.name, answer.after)
            return replace(answer, after=granted)
        return answer


class WatchedProviders(WrappedProviders):
    """All providers, each watched."""

    def __init__(self, providers: Providers, keeper: Keeper) -> None:
        super().__init__(
            providers, keeper.names(), lambda p: WatchedProvider(p, keeper)
        )
