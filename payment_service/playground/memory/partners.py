"""Partners in memory: one that answers at once, one that knows after days, and faults.

What is answered under a key is answered for ever under it; the next check has the next
number. A partner that reconciles finds several matches until it knows.
"""

from collections.abc import Callable
from datetime import datetime

from fsm.partner.policy import LinkPolicy
from handlers.ports.partners import (
    CheckAnswer,
    Eligible,
    MultiMatch,
    NoticeAnswer,
    PartnerCall,
    PartnerNotSent,
    PartnerPending,
    PartnerUnclear,
    RevokeNoted,
)
from handlers.ports.services import ServiceNotSent, ServiceUnclear
from payment_service.playground.memory.counterparts import (
    Answer,
    ByName,
    MemoryCounterpart,
)
from payment_service.playground.memory.effects import Effects

CHECK, AGAIN, NOTICE = "check_eligibility", "check_again", "notify_revoked"


class MemoryPartner(MemoryCounterpart[PartnerCall]):
    """Implements ``handlers.ports.partners.Partner``.

    ``script`` is what it answers to the next checks, one each; then it ``says`` the
    same to all. Where it ``knows_at`` a time it says so from then on, and that there
    are several matches before. ``wrong`` is what it was asked and is absurd.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: LinkPolicy | None = None,
        effects: Effects | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(name, lands_after=AGAIN, effects=effects)
        self.policy = policy or LinkPolicy()
        self.script: list[CheckAnswer] = []
        self.says: CheckAnswer = Eligible()
        self.knows_at: datetime | None = None
        self.answers: dict[str, CheckAnswer] = {}
        self.calls: list[tuple[str, PartnerCall]] = []
        self.told: set[str] = set()
        self.wrong: list[str] = []
        self._now = now

    async def check_eligibility(self, call: PartnerCall) -> CheckAnswer:
        heard = await self._called(
            CHECK, lambda: self._checked(CHECK, call), floats=call
        )
        return _as_partner(heard)

    async def check_again(self, call: PartnerCall) -> CheckAnswer:
        return _as_partner(
            await self._called(AGAIN, lambda: self._checked(AGAIN, call))
        )

    async def notify_revoked(self, call: PartnerCall) -> NoticeAnswer:
        return _as_partner(await self._called(NOTICE, lambda: self._noted(call)))

    def _arrives(self, call: PartnerCall) -> CheckAnswer:
        return self._checked(CHECK, call)

    def _checked(self, what: str, call: PartnerCall) -> CheckAnswer:
        self.calls.append((what, call))
        if call.key != f"{call.task_id}:{call.n}":
            self.wrong.append(f"the key of check {call.n} is {call.key}")
        if call.n > 1 and f"{call.task_id}:{call.n - 1}" not in self.answers:
            self.wrong.append(f"check {call.n} of {call.task_id} passes one over")
        if call.key not in self.answers:
            self.answers[call.key] = self._next(what)
        return self.answers[call.key]

    def _next(self, what: str) -> CheckAnswer:
        if self.script:
            return self.script.pop(0)
        if self._now is not None and self.knows_at and self._now() < self.knows_at:
            return MultiMatch() if what == CHECK else PartnerPending()
        return self.says

    def _noted(self, call: PartnerCall) -> RevokeNoted:
        self.calls.append((NOTICE, call))
        if call.key != f"{call.task_id}:revoked":
            self.wrong.append(f"the key of a notice is {call.key}")
        self.told.add(call.task_id)
        return RevokeNoted()


def _as_partner(
    heard: Answer | ServiceNotSent | ServiceUnclear,
) -> Answer | PartnerNotSent | PartnerUnclear:
    """Return what goes wrong on the way in a partner's own words."""
    match heard:
        case ServiceNotSent(because=because, after=after, lacking=lacking):
            return PartnerNotSent(because=because, after=after, lacking=lacking)
        case ServiceUnclear(because=because, after=after):
            return PartnerUnclear(because=because, after=after)
        case answer:
            return answer


class MemoryPartners(ByName[MemoryPartner]):
    """Implements ``handlers.ports.partners.Partners``."""
