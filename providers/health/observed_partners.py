"""Partners whose checks are observed, and held back while they are paused or away.

A check that is held back was certainly not sent: it waits, and uses up nothing. A
notice of a revoke goes out whatever is known of the partner, since it asks for nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from fsm.partner.policy import LinkPolicy
from handlers.ports.admission import NotAdmitted
from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    NotEligible,
    NoticeAnswer,
    Partner,
    PartnerCall,
    PartnerNotSent,
    PartnerPending,
    Partners,
    PartnerUnclear,
)
from providers.health.admission import AdmissionControl
from providers.health.observed import CallNote, Observing, nobody_notes
from providers.health.window import CreateOutcome

WAITING_MAX: Final = 10_000


def heard_in_check(answer: CheckAnswer) -> CreateOutcome | None:
    """Return what an answer to a check says about the partner, None for nothing."""
    match answer:
        case Eligible() | NotEligible() | MultiMatch() | PartnerPending():
            return CreateOutcome.TAKEN
        case PartnerNotSent(lacking=lacking):
            return None if lacking else CreateOutcome.FAILED
        case PartnerUnclear():
            return CreateOutcome.FAILED


class ObservedPartner:
    """A partner, with its keeper asked first and listening, and its calls measured."""

    def __init__(
        self,
        partner: Partner,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        self.name: Final = partner.name
        self.policy: Final[LinkPolicy] = partner.policy
        self._partner = partner
        self._admission_control = admission_control
        self._observing = Observing(partner.name, admission_control, note)
        self._waiting: set[str] = set()

    async def check_eligibility(self, call: PartnerCall) -> CheckAnswer:
        """Ask whether the card can be linked."""
        check = self._partner.check_eligibility
        return await self._checked("eligibility", check, call)

    async def check_again(self, call: PartnerCall) -> CheckAnswer:
        """Ask what became of several matches."""
        return await self._checked("fallback", self._partner.check_again, call)

    async def notify_revoked(self, call: PartnerCall) -> NoticeAnswer:
        """Tell that the membership is revoked."""
        notify = self._partner.notify_revoked
        return await self._observing.timed("revoke_notice", notify, call)

    async def _checked(
        self,
        operation: str,
        check: Callable[[PartnerCall], Awaitable[CheckAnswer]],
        call: PartnerCall,
    ) -> CheckAnswer:
        waited = call.task_id in self._waiting
        found = self._admission_control.admit(self.name, waited=waited)
        if isinstance(found, NotAdmitted):
            if len(self._waiting) < WAITING_MAX:
                self._waiting.add(call.task_id)
            return PartnerNotSent(because=found.because, after=found.wait, lacking=True)
        self._waiting.discard(call.task_id)
        try:
            return await self._observing.tracked(operation, check, call, heard_in_check)
        finally:
            found.give_back()


class ObservedPartners:
    """All partners, each observed."""

    def __init__(
        self,
        partners: Partners,
        admission_control: AdmissionControl,
        note: CallNote = nobody_notes,
    ) -> None:
        found = [(name, partners.get(name)) for name in partners.names()]
        self._observed = {
            name: ObservedPartner(partner, admission_control, note)
            for name, partner in found
            if partner is not None
        }

    def get(self, name: str) -> ObservedPartner | None:
        """Return the partner, or None where the name is not configured."""
        return self._observed.get(name)

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        return sorted(self._observed)
