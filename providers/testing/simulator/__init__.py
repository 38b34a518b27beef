"""Payout providers to test against: over HTTP, scripted, with a book of their own."""

from providers.testing.simulator.book import Book
from providers.testing.simulator.faults import Fault, FaultKind, Faults
from providers.testing.simulator.library import SCRIPTS, Scripts
from providers.testing.simulator.script import Mix, Script, State, Step, always
from providers.testing.simulator.server import Provider, Simulator
from providers.testing.simulator.webhooks import Patience

__all__ = [
    "SCRIPTS",
    "Book",
    "Fault",
    "FaultKind",
    "Faults",
    "Mix",
    "Patience",
    "Provider",
    "Script",
    "Scripts",
    "Simulator",
    "State",
    "Step",
    "always",
]
