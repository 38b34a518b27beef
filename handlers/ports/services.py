"""What a service can be asked for a step of an order, and the few things it can answer.

An adapter never raises for an answer and never guesses: what it cannot read as one of
these is ``ServiceUnclear``. Each call has a key of its own and may be repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeAlias

from fsm.service.policy import ServicePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCall:
    """One step of one order, as its service is asked for it.

    ``step`` is the step's name and part of the address, ``task_id`` its reference;
    ``order`` is the JSON object that is sent: the request, what was loaded for it, and
    the results of the steps that it comes after. ``result`` is what this very task has
    come to, and empty before that.
    """

    step: str
    task_id: str
    order: Mapping[str, object] = field(repr=False)
    result: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadCall:
    """One fetch of what an order's steps need; ``order`` is the JSON that is sent."""

    name: str
    queue_id: str
    order: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDone:
    """The step is done, now or before; ``result`` is what it came to, if it says so."""

    result: Mapping[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUndone:
    """The step is undone, also where it had never been done: it never will be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRefused:
    """A final no. ``customer_message`` is fit for the customer's own eyes."""

    code: str
    message: str | None = None
    customer_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePending:
    """Asked what became of it, the service says that it is still at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNotKnown:
    """Asked what became of it, the service says that it knows no such step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceNotSent:
    """It was never sent. ``after`` and ``lacking`` as with a provider's ``NotSent``."""

    because: str
    after: timedelta = timedelta(0)
    lacking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceUnclear:
    """Anything else: it may have been done. ``after`` as above.

    ``taken`` says that it is at work at it, ``answered`` that it has looked at it and
    did not like it: either way it is up. ``disputed``: it says that it has done it, and
    not as it was asked to.
    """

    because: str
    after: timedelta = timedelta(0)
    taken: bool = False
    answered: bool = False
    disputed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was asked for, as a JSON object."""

    content: Mapping[str, object] = field(repr=False)


DoAnswer: TypeAlias = ServiceDone | ServiceRefused | ServiceNotSent | ServiceUnclear
UndoAnswer: TypeAlias = ServiceUndone | ServiceRefused | ServiceNotSent | ServiceUnclear
AskAnswer: TypeAlias = (
    ServiceDone
    | ServiceRefused
    | ServicePending
    | ServiceNotKnown
    | ServiceNotSent
    | ServiceUnclear
)
LoadAnswer: TypeAlias = Fetched | ServiceRefused | ServiceNotSent | ServiceUnclear


class StepService(Protocol):
    """A service of ours that does a step, as its adapter presents it."""

    @property
    def name(self) -> str:
        """The table's name in the configuration."""
        ...

    @property
    def policy(self) -> ServicePolicy:
        """How it may be treated, from the configuration."""
        ...

    async def do(self, call: ServiceCall) -> DoAnswer:
        """Have the step done, under the key ``{task_id}:do``."""
        ...

    async def undo(self, call: ServiceCall) -> UndoAnswer:
        """Have the step undone, under the key ``{task_id}:undo``."""
        ...

    async def ask(self, call: ServiceCall) -> AskAnswer:
        """Ask what became of the step."""
        ...

    async def load(self, call: LoadCall) -> LoadAnswer:
        """Fetch what the steps of an order need; it changes nothing."""
        ...


class StepServices(Protocol):
    """All configured services."""

    def get(self, name: str) -> StepService | None:
        """Return the service, or None where the name is not configured."""
        ...

    def names(self) -> list[str]:
        """Return all configured names, sorted."""
        ...


class NoServices:
    """A process that has none, since no flow of it needs any."""

    def get(self, name: str) -> StepService | None:
        """Return None."""
        del name
        return None

    def names(self) -> list[str]:
        """Return nothing."""
        return []
