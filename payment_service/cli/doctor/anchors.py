"""Checks that the ends of the books go out: that a place is there, and takes them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from fsm.domain.anchors import Anchor, OddLine, read_anchor
from fsm.domain.durations import format_duration
from fsm.domain.errors import Fault
from handlers.ports.anchors import AnchorSink, OpenSink
from payment_service.cli.audit_export import key_of
from payment_service.cli.doctor.findings import Area, Finding
from payment_service.settings import Settings
from payment_service.wiring.anchoring import sinks_of

AREA: Final = Area("books")
INTERVALS_LATE: Final = 3
LOOKED_AT_MAX: Final = 100
MEND: Final = "see whether a process has the role `sweeper`, and docs/books.md"


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Open each place and look at the newest line; a file is made, and left empty."""
    if (key := key_of(settings)) is not None:
        told = f"the public key is {key.public.hex()}"
        yield AREA.ok("PAYMENT_AUDIT_EXPORT_KEY", told)
    if not settings.is_anchored:
        told = "no place outside: what is cut off the books is not missed"
        mend = "set PAYMENT_ANCHOR_FILE or PAYMENT_ANCHOR_STREAM: docs/books.md"
        yield AREA.advice("anchors", told, mend)
    for sink in sinks_of(settings):
        yield await _looked_at(sink, settings)


async def _looked_at(sink: AnchorSink, settings: Settings) -> Finding:
    what = f"anchors to the {sink.name}"
    try:
        async with sink.opened() as place:
            newest = await _newest(place, settings)
    except Fault as fault:
        return AREA.wrong(what, str(fault), "let this process write there")
    if newest is None:
        return AREA.advice(what, "it takes lines, and has none of ours yet", MEND)
    age = datetime.now(UTC) - newest.at
    told = f"the newest is number {newest.n}, of {newest.at:%Y-%m-%d %H:%M:%S} UTC"
    if age > INTERVALS_LATE * settings.anchor_interval:
        every = format_duration(settings.anchor_interval)
        return AREA.wrong(what, f"{told}, and there is to be one each {every}", MEND)
    return AREA.ok(what, told)


async def _newest(place: OpenSink, settings: Settings) -> Anchor | None:
    """Return the newest line that a key known here has signed."""
    looked_at = 0
    async for line in place.back():
        looked_at += 1
        try:
            anchor = read_anchor(line)
        except OddLine:
            anchor = None
        if anchor is not None and anchor.is_signed(settings.audit_keys):
            return anchor
        if looked_at == LOOKED_AT_MAX:
            break
    return None
