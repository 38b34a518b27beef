"""Providers whose calls are observed: timed, counted, and heard by their keeper.

One wrapper: what a call came to is measured, what it says about the provider's health
goes to the keeper, and a provider that asks to be left alone (``Retry-After``) is.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeVar

from providers.health.admission import AdmissionControl
from providers.health.window import CreateOutcome
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
CallNote = Callable[[str, str, str, float], None]
"""(provider, operation, outcome, seconds): what a call came to."""

FAILED: Final = "error"
"""The outcome of a call that has raised, or was cancelled."""
CLIENT_ERRORS: Final = frozenset(range(400, 500)) - {408, 425, 429}


def nobody_notes(provider: str, operation: str, outcome: str, seconds: float) -> None:
    """Measure nothing."""
    del provider, operation, outcome, seconds


def heard_in(answer: CreateAnswer) -> CreateOutcome | None:
    """Return what an answer to a create says about the provider, None for nothing."""
    match answer:
        case Succeeded() | Accepted():
            return CreateOutcome.TAKEN
        case Declined():
            return CreateOutcome.REFUSED
        case NotSent(ours=ours):
            return None if ours else CreateOutcome.FAILED
        case Unclear(evidence=evidence):
            # It looked at the request and did not like it: that is no outage.
            answered = evidence.get("http_status") in CLIENT_ERRORS
            return CreateOutcome.REFUSED if answered else CreateOutcome.FAILED


class ObservedProvider(WrappedProvider):
    """A provider, with its keeper listening and its calls measured."""

    def __init__(
        self,
        provider: Provider,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        super().__init__(provider)
        self._admission_control = admission_control
        self._note = note

    async def create(self, payout: Payout) -> CreateAnswer:
        """Ask for the payout; while it is under way it may turn out to hang."""
        began, outcome = time.perf_counter(), FAILED
        call, heard = self._admission_control.began(self.name), None
        try:
            answer = await self._provider.create(payout)
            outcome, heard = type(answer).__name__.lower(), heard_in(answer)
        except Exception:
            heard = CreateOutcome.FAILED
            raise
        finally:
            self._admission_control.ended(self.name, call, heard)
            self._note(self.name, "create", outcome, time.perf_counter() - began)
        return self._heeded(answer)

    async def status(self, payout: Payout) -> StatusAnswer:
        """Ask what became of it."""
        return await self._asked("status", self._provider.status, payout)

    async def cancel(self, payout: Payout) -> CancelAnswer:
        """Ask not to pay it."""
        return await self._asked("cancel", self._provider.cancel, payout)

    async def _asked(
        self,
        operation: str,
        call: Callable[[Payout], Awaitable[Answer]],
        payout: Payout,
    ) -> Answer:
        began, outcome = time.perf_counter(), FAILED
        try:
            answer = await call(payout)
            outcome = type(answer).__name__.lower()
        finally:
            self._note(self.name, operation, outcome, time.perf_counter() - began)
        return self._heeded(answer)

    def _heeded(self, answer: Answer) -> Answer:
        """Leave the provider alone where it has asked for it, for a bounded time."""
        if isinstance(answer, NotSent | Unclear) and answer.after:
            granted = self._admission_control.back_off(self.name, answer.after)
            return replace(answer, after=granted)
        return answer


class ObservedProviders(WrappedProviders):
    """All providers, each observed."""

    def __init__(
        self,
        providers: Providers,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        super().__init__(
            providers,
            admission_control.names(),
            lambda p: ObservedProvider(p, admission_control, note),
        )
