"""Hands a command the façade of operations, over the database alone.

Who has no key for the API works with this: what is done here no provider and no core
is called for.
"""

from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fsm.domain.audit_keys import AuditKeys
from fsm.engine.flow import Rules
from fsm.flows import RULES
from handlers.ports.watch import NobodyWatches
from handlers.shell_operations import ShellOperations
from payment_service.cli.context import read_settings
from payment_service.cli.database import open_database
from payment_service.storage.clock import DatabaseClock
from payment_service.storage.controls import PostgresControls
from payment_service.storage.operator_store import PostgresOperatorStore
from payment_service.storage.people import PostgresPeople
from payment_service.storage.reads import PostgresReads
from payment_service.storage.store import PostgresStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellPorts:
    """What a line is written with: no provider and no core, for nobody is called."""

    store: PostgresStore
    clock: DatabaseClock
    keys: AuditKeys
    rules: Rules = RULES
    watch: NobodyWatches = field(default_factory=NobodyWatches)


@asynccontextmanager
async def shell_operations(
    providers: Container[str] = (),
) -> AsyncIterator[ShellOperations]:
    """Open the database, and give what can be done with it.

    ``providers`` are those that can be paused, for who wants that.
    """
    keys = read_settings().audit_keys
    async with open_database() as database:
        clock = DatabaseClock(database)
        await clock.calibrate()
        yield ShellOperations(
            ports=ShellPorts(store=PostgresStore(database), clock=clock, keys=keys),
            operator_store=PostgresOperatorStore(database, keys),
            reads=PostgresReads(database),
            controls=PostgresControls(database, keys),
            people=PostgresPeople(database, keys),
            providers=providers,
        )
