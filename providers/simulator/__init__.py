"""Payout providers to test against: over HTTP, scripted, with a book of their own."""

from providers.simulator.book import Book
from providers.simulator.faults import Fault, FaultKind, Faults
from providers.simulator.library import SCRIPTS, Scripts
from providers.simulator.script import Mix, Script, State, Step, always
from providers.simulator.server import Provider, Simulator
from providers.simulator.webhooks import Patience

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
