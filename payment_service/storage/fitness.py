"""What a connection was found to be, and whether this service can work with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from fsm.domain.errors import StoreUnavailable

VERSION_MIN: Final = 14
"""The audit trail's partitions get their guards by CREATE OR REPLACE TRIGGER."""
ENCODING: Final = "UTF8"


class Unfit(StoreUnavailable):
    """PostgreSQL answers, but cannot be worked with; says how to mend it."""

    says_mend = True


class Trouble(NamedTuple):
    """Something wrong with a server: what, how it was found, how to mend it."""

    what: str
    told: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what}: {self.told}: {self.mend}"


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What the first statement on a connection, and its start, have told."""

    version: int = 0
    encoding: str = ENCODING
    is_pooled: bool = False
    """Something between us and the server gives each transaction one of its own."""
    keeps_statements: bool = True
    """A statement once prepared is there in the next transaction too."""
    is_standby: bool = False
    is_read_only: bool = False
    replication_role: str = "origin"
    lost: tuple[str, ...] = ()
    """Settings of the user's ``options`` that a pooler has dropped."""

    def troubles(self, *, writes: bool) -> Iterator[Trouble]:
        """Say what keeps the service from working here; nothing where nothing does."""
        if self.version < VERSION_MIN:
            told = f"PostgreSQL {self.version} is too old"
            yield Trouble("version", told, f"use {VERSION_MIN} or newer")
        if self.encoding != ENCODING:
            told = f"the database is in {self.encoding}, which cannot hold every name"
            mend = "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
            yield Trouble("encoding", told, mend)
        if self.replication_role != "origin":
            told = f"{self.replication_role}: triggers that guard the rows do not run"
            mend = "ALTER ROLE … RESET session_replication_role, on the database too"
            yield Trouble("session_replication_role", told, mend)
        if self.lost:
            told = f"a pooler has dropped {', '.join(self.lost)}"
            mend = "set it by ALTER ROLE … SET in place of `options` in the address"
            yield Trouble("options", told, mend)
        if writes:
            yield from self._unwritable()

    def _unwritable(self) -> Iterator[Trouble]:
        if self.is_standby:
            mend = "give the primary, or several hosts"
            yield Trouble("primary", "this server is a standby: read-only", mend)
        elif self.is_read_only:
            told = "default_transaction_read_only is on: nothing can be written"
            mend = "an operator or a full disk has set it: see the server, the database"
            yield Trouble("primary", told, f"{mend} and the role")


def require_fit(facts: ConnectionFacts, *, writes: bool) -> None:
    """Refuse what the service cannot work with.

    :raises Unfit: with all that is wrong, in one line.
    """
    if found := "; ".join(map(str, facts.troubles(writes=writes))):
        raise Unfit(found)
