"""What a scenario of core plays on: the real client, made-up tasks, and its findings.

A task that has been heard of is taken back at the end of its scenario: a hold is let
go, a payout taken back in, a membership revoked. What cannot be is told by name.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from fsm.domain.errors import CoreUnavailable
from handlers.ports.core import (
    BalanceCall,
    Confirmed,
    MembershipCall,
    MembershipVerb,
    Operation,
    Refused,
)
from providers.core import HttpCore
from providers.core.ledger import CoreLedger
from providers.core.shapes import BALANCE, KEY, key_of
from providers.http.outbound import ConnectionLimit
from providers.testing.conformance.core.made_up import CoreSamples
from providers.testing.conformance.core.overheard import Overheard
from providers.testing.conformance.core.told import (
    Heard,
    Silent,
    Told,
    Unanswered,
    read,
    said,
    shown,
)
from providers.testing.conformance.harness import NotHere

TRIES: Final = 3
PAUSE_SECONDS: Final = 0.2
AT_ONCE: Final = 5

Op = Operation


@dataclass(slots=True, kw_only=True)
class CoreStage:
    """One scenario's core and findings; each task that it makes up is a new one."""

    outbound: Overheard
    core: HttpCore
    ledger: CoreLedger
    lane: ConnectionLimit
    base_url: str
    token: str | None
    seconds: float
    samples: CoreSamples
    cases: int = 0
    wrong: list[str] = field(default_factory=list)
    should: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    tasks: dict[str, Heard] = field(default_factory=dict)
    members: dict[str, MembershipCall] = field(default_factory=dict)
    is_silent: bool = False

    # What is found.

    def must(self, holds: object, otherwise: str) -> None:
        """Note what is wrong where something does not hold, and how it is mended."""
        self.cases += 1
        if not holds:
            self.wrong.append(shown(otherwise))

    def ought(self, holds: object, otherwise: str) -> None:
        """Note what would be better, and costs no money."""
        self.cases += 1
        if not holds:
            self.should.append(shown(otherwise))

    def done(self, told: Told, case: str, mend: str) -> None:
        """Note an answer that is not done."""
        self.must(isinstance(told, Confirmed), f"{case}: {said(told)}. {mend}")

    def refused(self, told: Told, case: str, mend: str) -> None:
        """Note an answer that is no refusal."""
        self.must(isinstance(told, Refused), f"{case}: {said(told)}. {mend}")

    def never_done(self, told: Told, case: str, mend: str) -> None:
        """Note what was done; what is not even refused would be asked for for ever."""
        self.must(not isinstance(told, Confirmed), f"{case}: {said(told)}. {mend}")
        again = "It is asked for again and again: answer 409 with code and message"
        self.ought(not isinstance(told, Unanswered), f"{case}: {said(told)}. {again}")

    # What is asked.

    async def ask(self, operation: Operation, call: BalanceCall) -> Told:
        """Have it done; what is undecided is asked for again, under the same key.

        :raises Silent: nothing came back.
        """
        heard = self.tasks.setdefault(call.task_id, Heard(call))
        heard.asked.add(operation)
        told = await self._decided(lambda: self.core.balance(operation, call))
        heard.hears(operation, told, call)
        return told

    async def ask_at_once(self, operation: Operation, call: BalanceCall) -> list[Told]:
        """Ask for the same several times at once."""
        asking = (self.ask(operation, call) for _ in range(AT_ONCE))
        return list(await asyncio.gather(*asking))

    async def abandon(
        self, operation: Operation, call: BalanceCall, seconds: float
    ) -> None:
        """Ask for it, and hang up before core may have answered."""
        heard = self.tasks.setdefault(call.task_id, Heard(call))
        heard.asked.add(operation)
        heard.may_hold = True
        try:
            async with asyncio.timeout(seconds):
                await self.core.balance(operation, call)
        except (TimeoutError, CoreUnavailable):
            return

    async def member(self, verb: MembershipVerb, call: MembershipCall) -> Told:
        """Have a membership moved; as :meth:`ask`.

        :raises NotHere: core offers none.
        """
        self.members[call.task_id] = call
        told = await self._decided(lambda: self.core.membership(verb, call))
        if isinstance(told, Unanswered) and self.outbound.is_no_route:
            self.members.clear()
            raise NotHere("core offers no memberships: partner links need them")
        return told

    async def notify(self, event: Mapping[str, object]) -> Told:
        """Tell core an outcome; as :meth:`ask`."""

        async def told() -> Confirmed:
            await self.core.notify(event)
            return Confirmed()

        return await self._decided(told)

    async def send(
        self,
        operation: Operation,
        call: BalanceCall,
        body: bytes | Mapping[str, Any],
        *,
        token: str | None = None,
    ) -> Told:
        """Send a body of one's own under the call's key, once."""
        heard = self.tasks.setdefault(call.task_id, Heard(call))
        heard.asked.add(operation)
        held = token or self.token
        answer = await self.lane.request(
            "POST",
            f"{self.base_url}{BALANCE}/{operation}",
            json_body=body if isinstance(body, bytes) else orjson.dumps(body),
            headers={
                **({"Authorization": f"Bearer {held}"} if held else {}),
                KEY: key_of(call.task_id, operation),
            },
            timeout=self.seconds,
        )
        told = read(operation, answer)
        heard.hears(operation, told, call)
        return told

    async def learn_nowhere(self) -> None:
        """Find out what core says where certainly nothing is."""
        await self.lane.request(
            "POST",
            f"{self.base_url}/v1/there-is-no-such-call",
            json_body=b"{}",
            headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
            timeout=self.seconds,
        )
        self.outbound.learn_nowhere()

    async def held(self, case: str = "a freeze") -> BalanceCall:
        """Return an attempt whose money is held.

        :raises NotHere: it is not, so that there is nothing to try.
        """
        call = self.samples.attempt()
        told = await self.ask(Op.FREEZE, call)
        if not isinstance(told, Confirmed):
            raise NotHere(f"{case}: {said(told)}")
        return call

    async def paid(self) -> BalanceCall:
        """Return an attempt that is paid out; as :meth:`held`."""
        call = await self.held()
        told = await self.ask(Op.COMMIT, call)
        if not isinstance(told, Confirmed):
            raise NotHere(f"a commit: {said(told)}")
        return call

    async def _decided(self, ask: Callable[[], Awaitable[Confirmed | Refused]]) -> Told:
        because, before = "", self.outbound.answers
        for turn in range(1 if self.is_silent else TRIES):
            await asyncio.sleep(PAUSE_SECONDS * turn)
            try:
                return await ask()
            except CoreUnavailable as error:
                because = error.because
        if self.outbound.answers == before:
            self.is_silent = True
            raise Silent(because)
        return Unanswered(because)

    # What is taken back.

    async def take_back(self) -> None:
        """Let go, take back in and revoke all that the scenario has asked for."""
        for heard in self.tasks.values():
            why = await self._taken_back(heard)
            if why and (heard.may_hold or Op.COMMIT in heard.done):
                kept = self.should if self._is_kept(heard) else self.left
                kept.append(shown(f"{heard}: {why}"))
        for call in self.members.values():
            told = await self._undone(
                lambda call=call: self.core.membership(  # type: ignore[misc]
                    MembershipVerb.REVOKE, _final(call)
                )
            )
            if not isinstance(told, Confirmed):
                whom = f"the membership of customer {call.customer_id}"
                what = f"at {call.partner}, task {call.task_id}"
                self.left.append(shown(f"{whom} {what}: a revoke: {said(told)}"))

    def _is_kept(self, heard: Heard) -> bool:
        """Tell whether core has no call that would take it back in."""
        return Op.COMMIT in heard.done and self.outbound.is_no_route

    async def _taken_back(self, heard: Heard) -> str | None:
        """Return why it could not be."""
        first = Op.RETURN if Op.COMMIT in heard.done else Op.ROLLBACK
        told = await self._undo(first, heard)
        if isinstance(told, Confirmed):
            return None
        if first is Op.ROLLBACK and Op.COMMIT in heard.asked:
            returned = await self._undo(Op.RETURN, heard)
            if isinstance(returned, Confirmed):
                return None
        return f"a {first}: {said(told)}"

    async def _undo(self, operation: Operation, heard: Heard) -> Told:
        told = await self._undone(lambda: self.core.balance(operation, heard.call))
        if isinstance(told, Confirmed):
            heard.done.add(operation)
        return told

    async def _undone(self, ask: Callable[[], Awaitable[Confirmed | Refused]]) -> Told:
        try:
            return await self._decided(ask)
        except Silent as silent:
            return Unanswered(str(silent))


def _final(call: MembershipCall) -> MembershipCall:
    return MembershipCall(
        task_id=call.task_id,
        customer_id=call.customer_id,
        partner=call.partner,
        card_token=call.card_token,
    )
