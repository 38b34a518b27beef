"""Who may be given new work now: asked before a create is prepared, never later."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class NotAdmittedCode(StrEnum):
    """Why a provider gets no new work; a task that waits or is passed over shows it."""

    PAUSED = "provider_paused"
    UNAVAILABLE = "provider_unavailable"
    LIMITED = "provider_limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAdmitted:
    """Not now: ask again after ``wait``.

    ``outlasts`` says that it will take longer than an order should wait for it, where
    another provider can be had instead.
    """

    code: NotAdmittedCode
    because: str
    wait: timedelta
    outlasts: bool = False


class Admission(Protocol):
    """The right to send one create; it takes a place among those in flight."""

    def give_back(self) -> None:
        """Free the place: the create was answered, or is not sent; twice is once."""
        ...


class AdmissionGate(Protocol):
    """What a process knows of its providers; never fails, never waits, asks nobody."""

    def admit(self, provider: str, *, waited: bool = False) -> Admission | NotAdmitted:
        """Ask for one new attempt; a token and a place are taken where it may be.

        ``waited``: it was kept out before, and has its turn before new ones.
        """
        ...

    def repeat(self, provider: str) -> Admission | NotAdmitted:
        """Ask for the repeat of a create that may have arrived: no limit delays it.

        It counts against the limits all the same, so that new ones wait for it.
        """
        ...

    def admits(self, provider: str) -> bool:
        """True where a new attempt would be let in now, or only has to queue."""
        ...

    def silence(self, provider: str) -> timedelta:
        """Return for how long the provider has asked to be left alone; mostly zero."""
        ...


class OpenAdmission:
    """Lets everything pass."""

    def admit(self, provider: str, *, waited: bool = False) -> Admission | NotAdmitted:
        """Let it pass."""
        del provider, waited
        return FREE

    def repeat(self, provider: str) -> Admission | NotAdmitted:
        """Let it pass."""
        del provider
        return FREE

    def admits(self, provider: str) -> bool:
        """Say yes."""
        del provider
        return True

    def silence(self, provider: str) -> timedelta:
        """Say that nobody has asked for any."""
        del provider
        return timedelta(0)


class FreeAdmission:
    """An admission that takes nobody's place."""

    def give_back(self) -> None:
        """Do nothing: nothing was taken."""


FREE = FreeAdmission()
