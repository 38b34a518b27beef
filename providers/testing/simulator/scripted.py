"""What simulated parties that go by scripts share: their pace and their mishaps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from providers.testing.simulator.answers import spoiled
from providers.testing.simulator.faults import Faults
from providers.testing.simulator.script import Mishap, ReceivedCreate, Script


@dataclass(frozen=True, slots=True)
class Playing:
    """How a simulator plays: what goes wrong, by which scripts, when, how fast."""

    faults: Faults
    script_for: Callable[[ReceivedCreate], Script]
    now: Callable[[], float]
    scale: float


class ScriptedParty:
    """Plays by scripts, as its simulator does."""

    def __init__(self, playing: Playing) -> None:
        self._faults = playing.faults
        self._script_for = playing.script_for
        self._now = playing.now
        self._scale = playing.scale

    def _script_of(
        self,
        name: str,
        reference: str,
        key: str,
        token: str,
        *,
        amount: int = 0,
        currency: str = "",
    ) -> Script:
        """Return what happens to something that is asked for the first time."""
        return self._script_for(
            ReceivedCreate(
                provider=name,
                reference=reference,
                key=key,
                amount=amount,
                currency=currency,
                destination=token,
                terminal_id="",
                callback_url="",
            )
        )

    async def _thinks(self, script: Script) -> None:
        await asyncio.sleep(self._seconds(script, script.answer_after))

    def _seconds(self, script: Script, seconds: float) -> float:
        return seconds * script.pace * self._scale

    async def _spoiled(
        self,
        request: web.BaseRequest,
        mishap: Mishap | None,
        script: Script,
        answer: web.Response,
    ) -> web.StreamResponse:
        if mishap is None:
            return answer
        pause = self._seconds(script, script.answer_after)
        return await spoiled(request, mishap, script, answer, drip_seconds=pause)
