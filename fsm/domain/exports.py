"""An export of the books: lines of JSON, of which the last signs all others."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import orjson

from fsm.domain.anchors import Anchor, Head
from fsm.domain.audit_keys import AuditKeys
from fsm.domain.binding import REQUEST
from fsm.domain.masking import masked

FORMAT: Final = "payment-service export 1"
END: Final = "payment-service export end 1"
# Keyed hashes of ours, which say nothing: some have the names of what they are made of,
# and any may look by chance like a part of a secret.
_HASHES: Final = (
    "cascade",
    "content",
    "customer",
    "destination",
    "details",
    "exclusive_key",
    "metadata",
    "signature",
)
_HASH: Final = re.compile(r"[0-9A-Za-z_-]{43}|[0-9a-f]{64}", re.ASCII)


class ExportKey(Protocol):
    """A key whose public half lets others check: Ed25519."""

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        ...


class ExportWriter:
    """Makes the lines of one export, and follows them for the signature at its end."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.records = 0

    def head(
        self,
        *,
        since: datetime,
        until: datetime,
        made_at: datetime,
        public_key: bytes | None,
    ) -> bytes:
        """Return the first line: of what it is."""
        return self._line(
            {
                "format": FORMAT,
                "from": written_time(since),
                "to": written_time(until),
                "made_at": written_time(made_at),
                "public_key": public_key.hex() if public_key else None,
            }
        )

    def trail(self, line: Mapping[str, object]) -> bytes:
        """Return a line of the trail; what may not be seen is hidden, and it says so.

        The hash of a line of which something is hidden cannot be computed from it.
        """
        shown = {name: masked(value, name) for name, value in line.items()}
        shown["detail"] = _detail(line["detail"])
        # Names of our own that secrets have too.
        shown["key_id"], shown["hash"] = line["key_id"], line["hash"]
        if shown != line:
            shown["masked"] = True
        return self._line({"line": shown})

    def heads(self, n: int, heads: Sequence[Head]) -> bytes:
        """Return some heads of an anchor, which comes behind all of its heads."""
        rows = [[h.entity_id, h.queue_id, h.version, h.hash.hex()] for h in heads]
        return self._line({"heads": rows, "n": n})

    def anchor(self, anchor: Anchor) -> bytes:
        """Return an anchor, its line as a text: just what went out."""
        return self._line({"anchor": anchor.line().decode()})

    def end(self, keys: AuditKeys, key: ExportKey | None) -> bytes:
        """Return the last line: the hash over all bytes before it, signed."""
        told: dict[str, object] = {
            "format": END,
            "records": self.records,
            "sha256": self._hash.hexdigest(),
            "key_id": keys.signer,
        }
        signed = _json(told)
        told["mac"] = keys.mac(keys.signer, signed).hex()
        if key is not None:
            told["signature"] = key.sign(signed).hex()
        return _json(told) + b"\n"

    def _line(self, told: Mapping[str, object]) -> bytes:
        line = _json(told) + b"\n"
        self._hash.update(line)
        self.records += 1
        return line


def written_time(at: datetime) -> str:
    """Write a time as the trail's hashes have it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _detail(detail: object) -> object:
    shown = masked(detail)
    if isinstance(detail, Mapping) and isinstance(shown, dict):
        said, told = detail.get(REQUEST), shown.get(REQUEST)
        if isinstance(said, Mapping) and isinstance(told, dict):
            for name in _HASHES:
                if _HASH.fullmatch(str(said.get(name))):
                    told[name] = said[name]
    return shown


def _json(told: Mapping[str, object]) -> bytes:
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
