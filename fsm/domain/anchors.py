"""Anchors: what all chains of the trail end in, as one signed line that goes out.

Who can write the database can take lines off the end of a chain, and orders away whole:
what is left is in order. What went out before says that there was more.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from fsm.domain.audit_keys import AuditKeys

FORMAT: Final = "payment-service anchor 1"
FIRST_PREVIOUS: Final = b"\0" * 32
NOTHING_BEFORE: Final = datetime(1970, 1, 1, tzinfo=UTC)
LINE_BYTES_MAX: Final = 4096
"""No line is as long; what is longer is none."""
N_MAX: Final = 2**63 - 1
_FIELDS: Final = frozenset(
    {
        "at",
        "complete_to",
        "format",
        "heads",
        "key_id",
        "mac",
        "n",
        "previous",
        "root",
    }
)


class OddLine(ValueError):
    """A line that is no anchor; says why."""


class Head(NamedTuple):
    """The end of one chain: of an order, a task or the service itself."""

    entity_id: str
    queue_id: str
    version: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The ``n``-th anchor, over the ``heads`` chains that have grown since the last.

    ``root`` is the hash of their ends, ``previous`` that of the line before. Whatever
    was begun to be written before ``complete_to`` is in this anchor or an earlier one.
    """

    n: int
    at: datetime
    complete_to: datetime
    heads: int
    root: bytes
    previous: bytes
    key_id: str
    mac: bytes = b""

    def line(self) -> bytes:
        """Return the line that goes out, without its end."""
        return _written({**self._said(), "mac": self.mac.hex()})

    def digest(self) -> bytes:
        """Return the hash that the next anchor names as the one before it."""
        return hashlib.sha256(self.line()).digest()

    def signed_part(self) -> bytes:
        """Return what the key signs: the line without the signature."""
        return _written(self._said())

    def is_signed(self, keys: AuditKeys) -> bool:
        """Tell whether its key is known here, and has signed this."""
        return keys.holds(self.key_id, self.signed_part(), self.mac)

    def _said(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "n": self.n,
            "at": _time(self.at),
            "complete_to": _time(self.complete_to),
            "heads": self.heads,
            "root": self.root.hex(),
            "previous": self.previous.hex(),
            "key_id": self.key_id,
        }


class Root:
    """Hashes the heads of an anchor, one after the other, by the order of their ids."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.heads = 0

    def add(self, heads: Iterable[Head]) -> None:
        """Take the next heads."""
        for head in heads:
            said = f"{head.entity_id} {head.queue_id} {head.version} {head.hash.hex()}"
            self._hash.update(f"{said}\n".encode())
            self.heads += 1

    def digest(self) -> bytes:
        """Return the hash of all that was taken."""
        return self._hash.digest()


def signed(
    keys: AuditKeys,
    *,
    n: int,
    at: datetime,
    complete_to: datetime,
    root: Root,
    previous: bytes,
) -> Anchor:
    """Return an anchor with the signature of the signing key."""
    said = {
        "n": n,
        "at": at,
        "complete_to": complete_to,
        "heads": root.heads,
        "root": root.digest(),
        "previous": previous,
        "key_id": keys.signer,
    }
    bare = Anchor(**said)  # type: ignore[arg-type]
    return Anchor(**said, mac=keys.mac(keys.signer, bare.signed_part()))  # type: ignore[arg-type]


def read_anchor(line: bytes) -> Anchor:
    """Read a line that went out, which must stand there as it was written.

    :raises OddLine: it is no anchor.
    """
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise OddLine("is no JSON, or only a piece of it") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise OddLine(f'is no object with "format": "{FORMAT}"')
    if told.keys() != _FIELDS:
        names = ", ".join(sorted(map(str, told.keys() ^ _FIELDS)))
        raise OddLine(f"lacks, or has beyond need: {names}")
    try:
        anchor = _read(told)
    except (ValueError, TypeError, OverflowError):
        raise OddLine("has a field that is not of its form") from None
    if anchor.line() != line:
        raise OddLine("is not written as the service writes it")
    return anchor


def _read(told: Mapping[str, Any]) -> Anchor:
    if not 1 <= told["n"] <= N_MAX:
        raise ValueError("no number of an anchor")
    return Anchor(
        n=told["n"],
        at=datetime.fromisoformat(told["at"]),
        complete_to=datetime.fromisoformat(told["complete_to"]),
        heads=told["heads"],
        root=bytes.fromhex(told["root"]),
        previous=bytes.fromhex(told["previous"]),
        key_id=told["key_id"],
        mac=bytes.fromhex(told["mac"]),
    )


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _written(said: Mapping[str, object]) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
