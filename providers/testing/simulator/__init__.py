"""Payout providers to test against: over HTTP, scripted, with a book of their own."""

from providers.testing.simulator.book import Book
from providers.testing.simulator.charge_book import ChargeBook
from providers.testing.simulator.charges import SimulatedCharges
from providers.testing.simulator.faults import FaultKind, Faults, InjectedFault
from providers.testing.simulator.library import SCRIPTS, Scripts
from providers.testing.simulator.partner_book import LinkState, PartnerBook
from providers.testing.simulator.partners import SimulatedPartner, SimulatedPartners
from providers.testing.simulator.script import (
    Mix,
    PayoutState,
    Script,
    ScriptStep,
    always,
)
from providers.testing.simulator.server import SimulatedProvider, Simulator
from providers.testing.simulator.service_book import ServiceBook, StepState
from providers.testing.simulator.services import SimulatedService, SimulatedServices
from providers.testing.simulator.webhooks import Patience

__all__ = [
    "SCRIPTS",
    "Book",
    "ChargeBook",
    "FaultKind",
    "Faults",
    "InjectedFault",
    "LinkState",
    "Mix",
    "PartnerBook",
    "Patience",
    "PayoutState",
    "Script",
    "ScriptStep",
    "Scripts",
    "ServiceBook",
    "SimulatedCharges",
    "SimulatedPartner",
    "SimulatedPartners",
    "SimulatedProvider",
    "SimulatedService",
    "SimulatedServices",
    "Simulator",
    "StepState",
    "always",
]
