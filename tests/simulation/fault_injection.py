"""The one door of all effects: they take time, and here they go wrong by chance."""

from collections.abc import Callable
from typing import Final, TypeVar

from payment_service.playground.memory.effects import Died, Effects, FailureForm
from tests.simulation.environment import CURRENT, Ground, Process
from tests.simulation.rates import MINUTE, SECOND

Result = TypeVar("Result")
SHORT: Final = 2_000
"""How long a leg to one's own store or bus takes, in µs; to core it is ten times."""


class Door(Effects):
    """Each effect leaves, is done, and comes back; the process may die at any point."""

    def __init__(self, ground: Ground) -> None:
        super().__init__()
        self.ground = ground
        self.kills: Callable[[Process, str], None] = lambda *_: None
        self.store_down_until = 0
        self.core_down_until = 0

    async def do(
        self, name: str, act: Callable[[], Result], failed: Callable[[bool], Result]
    ) -> Result:
        ground = self.ground
        process = CURRENT.get()
        if process.dead:
            raise Died(name)
        group = name[:4]
        form = self._form(name, group)
        if form is FailureForm.NOT_DONE_DIED:
            self._strike(name, form)
            self.kills(process, name)
            raise Died(name)
        if form is FailureForm.REFUSED:
            self._strike(name, form)
            return failed(False)
        leg = SHORT if group != "core" else SHORT * 10
        await ground.loop.sleep(1 + int(ground.draw() * leg))
        result = act()
        ground.note(name)
        await self.back(process, name, leg)
        if form is FailureForm.DONE_DIED:
            self._strike(name, form)
            self.kills(process, name)
            raise Died(name)
        if form is FailureForm.DONE_LOST:
            self._strike(name, form)
            return failed(True)
        return result

    async def back(self, process: Process, name: str, leg: int) -> None:
        """Come back with the answer; the process may be dead or asleep by then."""
        ground = self.ground
        await ground.loop.sleep(1 + int(ground.draw() * leg))
        if ground.chance(ground.dials.pauses):
            self.freeze(process)
        while process.frozen_until > ground.clock.micros and not process.dead:
            await ground.loop.sleep(process.frozen_until - ground.clock.micros)
        if process.dead:
            raise Died(name)

    def freeze(self, process: Process) -> None:
        """Stop a process as SIGSTOP does, for up to three times AckWait or longer."""
        ground = self.ground
        longest = ground.setting.ack_wait * 3
        if ground.draw() < 0.1:
            longest = 30 * MINUTE
        asleep = SECOND + int(ground.draw() * longest)
        process.frozen_until = ground.clock.micros + asleep
        beyond = asleep > ground.setting.ack_wait
        ground.struck("pause beyond AckWait" if beyond else "pause", process.name)

    def _form(self, name: str, group: str) -> FailureForm | None:
        dials, micros = self.ground.dials, self.ground.clock.micros
        refused, unheard = 0.0, 0.0
        if group == "stor":
            if micros < self.store_down_until:
                return FailureForm.REFUSED
            refused, unheard = dials.store_refused, dials.store_unheard
        elif group == "core":
            if micros < self.core_down_until:
                return FailureForm.REFUSED
            refused, unheard = dials.core_refused, dials.core_unheard
        elif name == "bus.publish":
            refused, unheard = dials.publish_refused, dials.publish_unheard
        dies, after = dials.dies_before, dials.dies_after
        drawn = self.ground.draw()
        for form, chance in (
            (FailureForm.NOT_DONE_DIED, dies),
            (FailureForm.DONE_DIED, after),
            (FailureForm.REFUSED, refused),
            (FailureForm.DONE_LOST, unheard),
        ):
            if drawn < chance:
                return form
            drawn -= chance
        return None

    def _strike(self, name: str, form: FailureForm) -> None:
        self.ground.struck(f"{_kind(name)}: {form.name.lower()}", name)


def _kind(name: str) -> str:
    return name if name.startswith(("store.", "core.", "bus.")) else "provider"
