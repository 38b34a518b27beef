"""The bad line to a neighbour: calls come late or not at all, and are unheard."""

from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from payment_service.playground.memory.effects import Died
from tests.simulation.environment import CURRENT, Ground
from tests.simulation.fault_injection import Door

BACK: Final = 20_000
"""How long an answer takes at most, in µs, where nothing is wrong."""
THERE: Final = 200_000
"""How long a request takes at most, in µs, where nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """What a caller hears who hears no answer: in its port's own words."""

    not_sent: Any
    unsure: Any
    failed: Any


class Line:
    """The way to one neighbour of a kind, as ``provider``; its times are in µs.

    A request that is late arrives within ``latest``, after the caller's ``timeout``.
    """

    def __init__(
        self, ground: Ground, door: Door, kind: str, name: str, unheard: Unheard
    ) -> None:
        self.ground = ground
        self.door = door
        self.kind = kind
        self.name = name
        self.unheard = unheard
        self.timeout = 0
        self.latest: Callable[[], int] = lambda: 0
        self.landed: Callable[[str, str], None] = lambda *_: None
        self.down_until = 0
        self.hangs = False

    async def call(self, call: str, about: str, act: Callable[[], Any]) -> Any:
        """Make a call that may come late or not at all, and be heard or not."""
        ground, name = self.ground, f"{self.name}.{call}"
        process = CURRENT.get()
        try:
            if process.dead:
                raise Died(name)
            if ground.chance(ground.dials.dies_before):
                self._dies(f"{self.kind}: not_done_died", name)
            gone = await self._fails(name)
        except (Died, CancelledError):
            self.landed(call, about)
            raise
        if gone is not None:
            self.landed(call, about)
            return gone
        heard = await self._carried(call, about, act)
        await self.door.back(process, name, BACK)
        if ground.chance(ground.dials.dies_after):
            self._dies(f"{self.kind}: done_died", name)
        unsure = self.unheard.unsure
        if heard is not unsure and ground.chance(ground.dials.provider_unheard):
            ground.struck(f"{self.kind}: done_lost", name)
            return unsure
        return heard

    def _dies(self, what: str, name: str) -> None:
        self.ground.struck(what, name)
        self.door.kills(CURRENT.get(), name)
        raise Died(name)

    async def _fails(self, name: str) -> Any:
        """Return an answer where the request does not reach the neighbour."""
        ground, dials = self.ground, self.ground.dials
        if self.down_until > ground.clock.micros:
            if not self.hangs:
                return self.unheard.not_sent
            await ground.loop.sleep(self.timeout)
            return self.unheard.unsure
        if ground.chance(dials.provider_unsent):
            ground.struck(f"{self.kind}: not sent", name)
            return self.unheard.not_sent
        if ground.chance(dials.provider_failed):
            ground.struck(f"{self.kind}: refused", name)
            return self.unheard.failed
        return None

    async def _carried(self, call: str, about: str, act: Callable[[], Any]) -> Any:
        """Bring the request there; one that takes too long is done all the same."""
        ground = self.ground
        leg = 1 + int(ground.draw() * THERE)
        if ground.chance(ground.dials.provider_slow):
            leg = ground.between(0, self.latest())
        due = ground.clock.micros + leg
        if leg < self.timeout:
            try:
                await ground.loop.sleep(leg)
            except CancelledError:
                # Its sibling has failed; what is sent arrives all the same.
                ground.loop.at(due, self._arrived, call, about, act)
                raise
            return self._arrived(call, about, act)
        ground.struck(
            f"{self.kind}: executes after the time-out", f"{self.name}.{call}"
        )
        ground.loop.at(due, self._arrived, call, about, act)
        await ground.loop.sleep(self.timeout)
        return self.unheard.unsure

    def _arrived(self, call: str, about: str, act: Callable[[], Any]) -> Any:
        self.landed(call, about)
        answer = act()
        self.ground.note(f"{self.name}.{call} {type(answer).__name__}", about)
        return answer
