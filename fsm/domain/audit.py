"""The audit trail: one line for every version of every row, chained by keyed hashes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

import orjson

from fsm.domain.audit_keys import AuditKeys
from fsm.domain.canonical import plain
from fsm.domain.seals import head_of
from fsm.engine.judged import SeenLine
from fsm.engine.records import quickly_made
from fsm.engine.steps import Change, QueueChange

GENESIS: Final = b"\0" * 32
WAKE_AT: Final = "wake_at"
"""Where a line says until when its row is left alone, unless it is due at once."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One line; ``entity_id`` is the task's id, or the queue's for the order itself.

    ``trace_id`` is named by the line that makes an order; it is that of all of them.
    ``key_id`` names the key that its ``hash`` was made with. It is made, and signed, by
    :func:`signed_line` alone.
    """

    entity_id: str
    queue_id: str
    version: int
    source: str | None
    target: str
    trigger: str
    actor: str
    at: datetime
    detail: Mapping[str, object]
    trace_id: str | None = None
    key_id: str
    hash: bytes

    @property
    def task_id(self) -> str | None:
        """Return the task that it is about; None where it is the order itself."""
        return task_of(self.entity_id, self.queue_id)


def task_of(entity_id: str, queue_id: str) -> str | None:
    """Return the task that a line is about; None where it is the order itself."""
    return None if entity_id == queue_id else entity_id


class ReadLine(SeenLine, Protocol):
    """A line with all that its hash is over, as it was made or as it was read."""

    @property
    def entity_id(self) -> str: ...
    @property
    def trace_id(self) -> str | None: ...
    @property
    def key_id(self) -> str: ...


def audit_line(
    change: Change | QueueChange,
    *,
    at: datetime,
    keys: AuditKeys,
) -> AuditLine:
    """Return the line of a change, chained to the line before it.

    It says until when the row is left alone: who moves that time is found by it.
    """
    task_id = change.after.task_id if isinstance(change, Change) else None
    detail, wake_at = change.detail, change.after.wake_at
    if wake_at is not None and wake_at > at:
        detail = {**detail, WAKE_AT: wake_at.isoformat()}
    return signed_line(
        head_of(change.before.audit_hash),
        keys,
        entity_id=task_id or change.after.queue_id,
        queue_id=change.after.queue_id,
        version=change.after.version,
        source=str(change.before.state),
        target=str(change.after.state),
        trigger=change.trigger,
        actor=change.actor,
        at=at,
        detail=detail,
    )


def signed_line(  # noqa: PLR0913 - all that a line says
    previous: bytes,
    keys: AuditKeys,
    *,
    entity_id: str,
    queue_id: str,
    version: int,
    source: str | None,
    target: str,
    trigger: str,
    actor: str,
    at: datetime,
    detail: Mapping[str, object],
    trace_id: str | None = None,
) -> AuditLine:
    """Return a line as the signing key signs it, after the line with that hash.

    Its own hash covers all of it and the hash before: a line is never there unsigned.
    """
    key_id = keys.signer
    said = {name: plain(value) for name, value in detail.items()}
    about = entity_id, queue_id, version
    move = source, target, trigger, actor
    signed = _written(key_id, about, move, at, trace_id, said)
    return AuditLine(
        entity_id=entity_id,
        queue_id=queue_id,
        version=version,
        source=source,
        target=target,
        trigger=trigger,
        actor=actor,
        at=at,
        detail=said,
        trace_id=trace_id,
        key_id=key_id,
        hash=keys.mac(key_id, previous + signed),
    )


def hash_of(line: ReadLine, before: bytes, keys: AuditKeys) -> bytes:
    """Return the hash that a line should have after the one before it.

    :raises KeyError: the key that has signed it is not known here.
    """
    detail = {name: plain(value) for name, value in line.detail.items()}
    about = line.entity_id, line.queue_id, line.version
    move = line.source, line.target, line.trigger, line.actor
    signed = _written(line.key_id, about, move, line.at, line.trace_id, detail)
    return keys.mac(line.key_id, before + signed)


def _written(
    key_id: str,
    about: tuple[str, str, int],
    move: tuple[str | None, str, str, str],
    at: datetime,
    trace_id: str | None,
    detail: Mapping[str, object],
) -> bytes:
    """Return what is signed of a line: all of it, in an order that never changes."""
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    stamp = at.isoformat(timespec="microseconds")
    return orjson.dumps(
        [key_id, *about, *move, stamp, trace_id, detail], option=orjson.OPT_SORT_KEYS
    )


class Link(NamedTuple):
    """A line as it was read, and the hash of the line before it."""

    line: AuditLine
    previous: bytes

    def holds(self, keys: AuditKeys) -> bool:
        """Tell whether a key that is known here has signed just this line there."""
        line = self.line
        known = line.key_id in keys
        return known and hash_of(line, self.previous, keys) == line.hash
