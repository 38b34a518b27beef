"""Exports the trail of a period with its anchors, signed, for whoever audits it."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, Final, LiteralString

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fsm.domain.anchors import Head
from fsm.domain.exports import ExportWriter, written_time
from payment_service.cli.context import database_url, read_settings
from payment_service.cli.errors import DONE, Usage, Wrong
from payment_service.cli.orders import time_of
from payment_service.cli.snapshot import Snapshot
from payment_service.settings import Settings
from payment_service.storage.anchors import anchor_from

HEADS_A_LINE: Final = 500
MODE: Final = 0o600

# Whole chains: a part of one cannot be checked.
LINES: Final[LiteralString] = """
SELECT e.entity_id::text, e.queue_id::text, e.version, e.source, e.target, e.trigger,
    e.actor, e.at, e.trace_id, e.detail, e.key_id, e.hash
FROM order_task_events e
WHERE EXISTS (SELECT FROM order_task_events l WHERE l.entity_id = e.entity_id
    AND l.at >= %(since)s AND l.at < %(until)s)
ORDER BY e.entity_id, e.version
"""
_NAMES: Final = (
    *("entity_id", "queue_id", "version", "source", "target", "trigger"),
    *("actor", "at", "trace_id", "detail", "key_id", "hash"),
)
# Up to the first anchor that has all of the period, where there is one yet.
ANCHORS: Final[LiteralString] = """
SELECT a.n, a.at, a.complete_to, a.heads, a.root, a.previous, a.key_id, a.mac,
    h.entity_id::text, h.queue_id::text, h.version, h.hash
FROM anchors a LEFT JOIN anchor_heads h ON h.n = a.n
WHERE a.at >= %(since)s AND a.n <= coalesce(
    (SELECT min(n) FROM anchors WHERE complete_to >= %(until)s),
    (SELECT max(n) FROM anchors))
ORDER BY a.n, h.entity_id
"""
_OF_ANCHOR: Final = 8


class SigningKey:
    """Implements ``domain.exports.ExportKey`` with the seed of the settings."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._key.sign(data)


def export(since: str, until: str, *, output: Path | None) -> int:
    """Write the export to a file, or to the output where none is named."""
    began, ended = time_of("--from", since), time_of("--to", until)
    if began >= ended:
        raise Usage(f"--to {until} is not behind --from {since}")
    settings = read_settings("database_url")
    lines = _lines(settings, began, ended)
    if output is None:
        return _write(sys.stdout.buffer, lines)
    try:
        if output.exists() and not output.is_file():
            with output.open("wb") as pipe:  # or a directory, which refuses
                return _write(pipe, lines)
        _write_whole(output, lines)
    except OSError as error:
        raise Wrong(f"--output {output}: {error.strerror or error}") from None
    return DONE


def key_of(settings: Settings) -> SigningKey | None:
    """Return what exports are signed with beside the keys of the trail."""
    seed = settings.audit_export_key
    return SigningKey(bytes.fromhex(seed.get_secret_value())) if seed else None


def _write_whole(output: Path, lines: Iterator[bytes]) -> None:
    """Have a whole export stand under the name, or what stood there before."""
    part = output.parent / f"{output.name}.part"
    try:
        with open(part, "wb", opener=_private) as file:
            _write(file, lines)
            os.fsync(file.fileno())
        part.replace(output)
    finally:
        with suppress(OSError):
            part.unlink()


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, MODE)


def _write(file: IO[bytes], lines: Iterator[bytes]) -> int:
    for line in lines:
        file.write(line)
    file.flush()
    return DONE


def _lines(settings: Settings, since: datetime, until: datetime) -> Iterator[bytes]:
    key, written = key_of(settings), ExportWriter()
    asked = {"since": since, "until": until}
    with Snapshot(database_url(settings), settings.audit_keys) as snapshot:
        yield written.head(
            since=since,
            until=until,
            made_at=snapshot.facts().taken_at,
            public_key=key.public if key else None,
        )
        for row in snapshot.rows("lines", LINES, asked):
            yield written.trail(_said(row))
        for _, rows in groupby(snapshot.rows("anchors", ANCHORS, asked), itemgetter(0)):
            yield from _anchor(written, rows)
    yield written.end(settings.audit_keys, key)


def _said(row: Any) -> dict[str, object]:  # noqa: ANN401 - a row of the names above
    said = dict(zip(_NAMES, row, strict=True))
    return {**said, "at": written_time(said["at"]), "hash": said["hash"].hex()}


def _anchor(written: ExportWriter, rows: Iterator[Any]) -> Iterator[bytes]:
    first = next(rows)
    anchor = anchor_from(first[:_OF_ANCHOR])
    # One that has lost its heads, or has too many, is exported as it is.
    page = [Head._make(first[_OF_ANCHOR:])] if first[_OF_ANCHOR] else []
    while page:
        page += [Head._make(r[_OF_ANCHOR:]) for r in islice(rows, HEADS_A_LINE)]
        yield written.heads(anchor.n, page)
        page = [Head._make(r[_OF_ANCHOR:]) for r in islice(rows, 1)]
    yield written.anchor(anchor)
