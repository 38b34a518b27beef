"""Keys of the API and thresholds of decisions; each change is a line of the trail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fsm.domain.acts import SERVICE, Act
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.keys import ApiKey, KeyRole
from fsm.domain.masking import masked_text
from fsm.domain.money import EXPONENTS
from fsm.domain.roster import (
    DEFAULT,
    STRICTEST,
    KeyRecord,
    Threshold,
    ThresholdProposal,
)
from payment_service.storage import service_trail
from payment_service.storage.database import Database
from payment_service.storage.tables import API_KEY_USES, API_KEYS, FOUR_EYES

AT_ONCE: Final = 200
NOW: Final = text("SELECT clock_timestamp()")
# Each change is a line of the service's trail, whose versions are in the order of
# the commits: a change that was committed is never behind one that was seen.
REVISION: Final[LiteralString] = """
SELECT coalesce(max(version), 0) FROM order_task_events
WHERE entity_id = %(service)s::uuid
"""
USED: Final[LiteralString] = """
INSERT INTO api_key_uses AS u (name, used_at)
SELECT name, clock_timestamp() FROM unnest(%(names)s::text[]) AS n(name) ORDER BY name
ON CONFLICT (name) DO UPDATE SET used_at = greatest(u.used_at, excluded.used_at)
"""


def _untold(_names: list[str]) -> None: ...


class PostgresPeople:
    """Implements ``ports.people.People``."""

    def __init__(
        self,
        database: Database,
        keys: AuditKeys,
        *,
        on_unsigned: Callable[[list[str]], None] = _untold,
    ) -> None:
        self._database = database
        self._keys = keys
        self._on_unsigned = on_unsigned

    async def keys(self) -> list[KeyRecord]:
        """Return all keys whose signature holds, by name, with when each was used."""
        async with self._database.connection() as connection:
            rows = await _rows_in(connection)
        signed = []
        for number, row in enumerate(rows):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # requests are answered in between
            if key_is_signed(row, self._keys):
                signed.append(_record(row))
        if len(signed) < len(rows):
            names = {record.key.name for record in signed}
            self._on_unsigned([row.name for row in rows if row.name not in names])
        return signed

    async def names(self) -> list[str]:
        """Return the names of all rows, whoever has signed them."""
        async with self._database.connection() as connection:
            rows = await connection.execute(select(API_KEYS.c.name))
            return [row.name for row in rows]

    async def uses(self) -> Mapping[str, datetime]:
        """Return when each key was used last, also those of the environment."""
        async with self._database.connection() as connection:
            rows = await connection.execute(select(API_KEY_USES))
            return {row.name: row.used_at for row in rows}

    async def thresholds(self) -> Sequence[Threshold]:
        """Return the amounts that were set or proposed, by currency.

        Where somebody else has written, every decision takes two.
        """
        async with self._database.connection() as connection:
            found, odd = await _thresholds_in(connection, self._keys)
        if odd:
            self._on_unsigned([f"{FOUR_EYES.name} {currency}" for currency in odd])
        return found

    async def revision(self) -> int:
        """Return a number that is another after each change."""
        ((revision,),) = await self._database.run(REVISION, {"service": SERVICE})
        return int(revision)

    async def note_uses(self, names: Collection[str]) -> None:
        """Say that these keys were just used."""
        if names:
            await self._database.run(USED, {"names": sorted(names)})

    @asynccontextmanager
    async def turn(self) -> AsyncIterator["PostgresTurn"]:
        """Give what there is to one who changes it; others wait."""
        async with self._database.connection() as connection:
            await connection.execute(service_trail.TURN)
            now = (await connection.execute(NOW)).scalar_one()
            rows = await _rows_in(connection)
            odd = [row.name for row in rows if not key_is_signed(row, self._keys)]
            thresholds, _ = await _thresholds_in(connection, self._keys)
            yield PostgresTurn(
                connection,
                self._keys,
                now=now,
                keys=[_record(row) for row in rows],
                unsigned=frozenset(odd),
                thresholds=thresholds,
            )


@dataclass(frozen=True, slots=True)
class PostgresTurn:
    """Implements ``ports.people.Turn``."""

    connection: AsyncConnection
    audit_keys: AuditKeys
    now: datetime
    keys: Sequence[KeyRecord]
    unsigned: Collection[str]
    thresholds: Sequence[Threshold]

    async def add_key(self, record: KeyRecord, act: Act) -> None:
        """Store a new key."""
        key = record.key
        columns = {
            "name": key.name,
            "role": key.role.value,
            "sha256": key.sha256,
            "person": key.person,
            "merchants": None if key.merchants is None else sorted(key.merchants),
            "expires": key.expires,
            "made_by": record.made_by,
            "made_person": record.made_person,
            "made_at": record.made_at,
            "takes_two": record.takes_two,
            **self._signature(record),
        }
        await self.connection.execute(insert(API_KEYS).values(columns))
        await self._tell(act)

    async def change_key(self, record: KeyRecord, act: Act) -> None:
        """Store who agreed to a key, or who revoked it."""
        reason = record.revoke_reason
        columns: dict[str, object] = {
            "agreed_by": record.agreed_by,
            "agreed_at": record.agreed_at,
            "revoked_by": record.revoked_by,
            "revoked_at": record.revoked_at,
            "revoke_reason": None if reason is None else masked_text(reason),
        }
        if record.revoked_at is None:
            columns.update(self._signature(record))
        changed = update(API_KEYS).where(API_KEYS.c.name == record.key.name)
        await self.connection.execute(changed.values(columns))
        await self._tell(act)

    async def put_threshold(self, threshold: Threshold, act: Act) -> None:
        """Store a threshold, or what is proposed for it."""
        proposal, reason = threshold.proposal, threshold.reason
        columns = {
            "amount": threshold.amount,
            "set_by": threshold.set_by,
            "set_at": threshold.set_at,
            "reason": None if reason is None else masked_text(reason),
            "proposed_amount": proposal and proposal.amount,
            "proposed_by": proposal and proposal.by,
            "proposed_person": proposal and proposal.person,
            "proposed_at": proposal and proposal.at,
            **self._signature(threshold),
        }
        row = insert(FOUR_EYES).values(currency=threshold.currency, **columns)
        await self.connection.execute(
            row.on_conflict_do_update(index_elements=["currency"], set_=columns)
        )
        await self._tell(act)

    async def _tell(self, act: Act) -> None:
        await service_trail.append(
            self.connection, act, keys=self.audit_keys, at=self.now
        )

    def _signature(self, record: KeyRecord | Threshold) -> dict[str, object]:
        signer = self.audit_keys.signer
        mac = self.audit_keys.mac(signer, record.signed)
        return {"signed_by": signer, "signature": mac}


async def _rows_in(connection: AsyncConnection) -> list[Any]:
    u = API_KEY_USES.c
    wanted = (
        select(API_KEYS, u.used_at)
        .outerjoin(API_KEY_USES, u.name == API_KEYS.c.name)
        .order_by(API_KEYS.c.name)
    )
    return list(await connection.execute(wanted))


def key_is_signed(row: Any, keys: AuditKeys) -> bool:  # noqa: ANN401 - as below
    """Tell whether an audit key that is known here has signed just this row."""
    signed = _record(row).signed
    return keys.holds(row.signed_by, signed, bytes(row.signature))


def _record(row: Any) -> KeyRecord:  # noqa: ANN401 - a row of the columns above
    return KeyRecord(
        key=ApiKey(
            row.name,
            KeyRole(row.role),
            bytes(row.sha256),
            person=row.person,
            merchants=None if row.merchants is None else frozenset(row.merchants),
            expires=row.expires,
        ),
        made_by=row.made_by,
        made_person=row.made_person,
        made_at=row.made_at,
        takes_two=row.takes_two,
        agreed_by=row.agreed_by,
        agreed_at=row.agreed_at,
        revoked_by=row.revoked_by,
        revoked_at=row.revoked_at,
        revoke_reason=row.revoke_reason,
        used_at=row.used_at,
    )


async def _thresholds_in(
    connection: AsyncConnection, keys: AuditKeys
) -> tuple[list[Threshold], list[str]]:
    """Return what holds, and of which currencies somebody else has written it.

    There the strictest holds: what another hand writes must let nobody decide alone.
    """
    found, odd = [], []
    wanted = select(FOUR_EYES).order_by(FOUR_EYES.c.currency)
    for row in await connection.execute(wanted):
        threshold = _threshold(row)
        if not threshold_is_signed(row, keys):
            odd.append(row.currency)
            threshold = Threshold(currency=row.currency, amount=STRICTEST)
        if row.currency == DEFAULT or row.currency in EXPONENTS:
            found.append(threshold)
    return found, odd


def threshold_is_signed(row: Any, keys: AuditKeys) -> bool:  # noqa: ANN401 - as below
    """Tell whether an audit key that is known here has signed just this row."""
    return keys.holds(row.signed_by, _threshold(row).signed, bytes(row.signature))


def _threshold(row: Any) -> Threshold:  # noqa: ANN401 - a row of the table
    proposal = None
    if row.proposed_by is not None:
        proposal = ThresholdProposal(
            amount=row.proposed_amount,
            by=row.proposed_by,
            person=row.proposed_person,
            at=row.proposed_at,
        )
    return Threshold(
        currency=row.currency,
        amount=row.amount,
        set_by=row.set_by,
        set_at=row.set_at,
        reason=row.reason,
        proposal=proposal,
    )
