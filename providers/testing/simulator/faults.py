"""Faults of a simulated server: chosen at run time, drawn by a seed, counted."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final, Self

from aiohttp import web

from providers.testing.simulator.wire import BadCallError, Json, hang_up, reply

DELAY_SECONDS_MAX: Final = 3600.0
RULES_MAX: Final = 1000


class FaultKind(StrEnum):
    DOWN = "down"  # the connection breaks and nothing is done
    SLOW = "slow"  # done as usual, `delay` seconds later
    ERROR = "error"  # `status` (500) and nothing is done
    APPLIED_ERROR = "applied_error"  # done, then `status` (500)
    APPLIED_DROP = "applied_drop"  # done, then the connection breaks
    REFUSE = "refuse"  # a final refusal: `status` (422) with `code`


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectedFault:
    kind: FaultKind
    operation: str = "*"  # a pattern over the server's own names of its operations
    probability: float = 1.0
    times: int = 0  # how often at most; 0: without end
    delay: float = 0.0
    status: int = 0
    code: str = "refused"
    message: str = "refused by a scripted fault"
    where: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        unknown = set(raw) - {f.name for f in fields(cls)}
        if unknown:
            msg = f"a fault has no {', '.join(sorted(unknown))}"
            raise BadCallError(msg)
        try:
            return cls(**{**raw, "kind": FaultKind(raw.get("kind", ""))})
        except (TypeError, ValueError) as error:
            msg = f"not a fault: {error}"
            raise BadCallError(msg) from error

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1 or not 0 <= self.delay <= DELAY_SECONDS_MAX:
            raise ValueError("probability or delay out of range")

    def concerns(self, operation: str, call: Mapping[str, str]) -> bool:
        return fnmatchcase(operation, self.operation) and all(
            call.get(name) == value for name, value in self.where.items()
        )


class Faults:
    """The faults in force, tried in order: delays add up, the first other one counts.

    `happened` counts what callers really met, as `operation.kind`.
    """

    def __init__(self, faults: Iterable[InjectedFault] = (), *, seed: int = 0) -> None:
        self.happened: Counter[str] = Counter()
        self.set(*faults, seed=seed)

    def set(self, *faults: InjectedFault, seed: int | None = None) -> None:
        """Replace the faults in force; the counters stay."""
        if len(faults) > RULES_MAX:
            msg = f"more than {RULES_MAX} faults"
            raise BadCallError(msg)
        self._faults = faults
        self._met = [0] * len(faults)
        if seed is not None:
            self._random = random.Random(seed)  # noqa: S311 - chance, not a secret

    def show(self) -> Json:
        return {
            "faults": [asdict(fault) for fault in self._faults],
            "happened": dict(self.happened),
        }

    def configure(self, body: Mapping[str, Any]) -> Json:
        """`POST /_faults`: `{"faults": [...], "seed"?}` replaces what is in force."""
        raw, seed = body.get("faults"), body.get("seed")
        if not isinstance(raw, list) or not all(isinstance(x, dict) for x in raw):
            raise BadCallError("faults is not a list of objects")
        if not isinstance(seed, int | None):
            raise BadCallError("seed is not an integer")
        self.set(*map(InjectedFault.parse, raw), seed=seed)
        return self.show()

    async def around(
        self,
        request: web.BaseRequest,
        operation: str,
        call: Mapping[str, str],
        *,
        act: Callable[[], Awaitable[web.StreamResponse]],
        refuse: Callable[[InjectedFault], web.StreamResponse] | None = None,
    ) -> web.StreamResponse:
        """Answer by `act`, or by the fault that is drawn for this call."""
        delay, fault = self._draw(operation, call)
        if delay:
            self.happened[f"{operation}.{FaultKind.SLOW}"] += 1
            await asyncio.sleep(delay)
        if fault is None:
            return await act()
        if fault.kind in (FaultKind.APPLIED_ERROR, FaultKind.APPLIED_DROP):
            answer = await act()
            if answer.status >= web.HTTPBadRequest.status_code:
                return answer  # nothing was applied, so this fault did not happen
        self.happened[f"{operation}.{fault.kind}"] += 1
        return _instead(request, fault, refuse or _refusal)

    def _draw(
        self, operation: str, call: Mapping[str, str]
    ) -> tuple[float, InjectedFault | None]:
        delay = 0.0
        for position, fault in enumerate(self._faults):
            if not self._strikes(position, operation, call):
                continue
            if fault.kind is not FaultKind.SLOW:
                return delay, fault
            delay += fault.delay
        return delay, None

    def _strikes(self, position: int, operation: str, call: Mapping[str, str]) -> bool:
        fault = self._faults[position]
        if not fault.concerns(operation, call):
            return False
        if fault.times and self._met[position] >= fault.times:
            return False
        if self._random.random() >= fault.probability:
            return False
        self._met[position] += 1
        return True


def _instead(
    request: web.BaseRequest,
    fault: InjectedFault,
    refuse: Callable[[InjectedFault], web.StreamResponse],
) -> web.StreamResponse:
    match fault.kind:
        case FaultKind.DOWN | FaultKind.APPLIED_DROP:
            return hang_up(request)
        case FaultKind.REFUSE:
            return refuse(fault)
        case _:
            broken = {"code": "internal", "message": "a scripted fault"}
            return reply(broken, status=fault.status or 500)


def _refusal(fault: InjectedFault) -> web.Response:
    refused = {"code": fault.code, "message": fault.message}
    return reply(refused, status=fault.status or 422)
