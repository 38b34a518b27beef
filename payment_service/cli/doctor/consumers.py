"""Checks the durable consumers of NATS: those of this version, and other versions'."""

from typing import Final

from payment_service.bus import Durable, JetStreamApi, PermissionRefused, Topology
from payment_service.bus.api import Json
from payment_service.bus.changes import SPEC, told
from payment_service.bus.durables import corrections, filters_of, taken_beside
from payment_service.bus.unfit import covers, unfit_consumer
from payment_service.bus.unrouted import consumers_in
from payment_service.cli.doctor.findings import Area, Finding

AREA: Final = Area("nats")
NOT_YET: Final = "is not there yet: `payment-service run` makes it"
MENDED: Final = "`payment-service run` changes it where NATS lets it"


async def consumer(
    api: JetStreamApi, durable: Durable, beside: list[str], denied: str | None
) -> Finding:
    """Judge one; ``beside`` are others of its stream, ``denied`` would make it."""
    what = f"consumer {durable.name}"
    try:
        live = await api.find(f"CONSUMER.INFO.{durable.stream}.{durable.name}")
    except PermissionRefused as refused:
        return AREA.advice(what, str(refused), "let it be looked at")
    if live is None:
        return missing(what, denied)
    problems = unfit_consumer(live["config"])
    if problems:
        return AREA.wrong(what, "; ".join(problems), "see docs/surroundings.md, NATS")
    taken = await taken_beside(api, durable.stream, beside)
    lacking = corrections(durable, live["config"], taken)
    if lacking:
        return AREA.wrong(what, told(lacking, live["config"]), MENDED)
    if live.get("paused"):
        return AREA.advice(what, "is paused", "`nats consumer resume` lets it go on")
    if wider := _wider(durable, live["config"]):
        mend = "once no version needs it: `nats consumer edit`; nothing is lost by it"
        return AREA.advice(what, f"{wider}, as this version does not ask for", mend)
    return AREA.ok(what, f"{live['num_pending']} wait")


def _wider(durable: Durable, config: Json) -> str:
    """Say what another version, or its settings, has made a consumer do."""
    own = filters_of(durable.config)
    more = [
        each for each in filters_of(config) if not any(covers(o, each) for o in own)
    ]
    said = [f"takes {', '.join(more)}"] if more else []
    wait, wanted = config.get("ack_wait", 0), durable.config["ack_wait"]
    if isinstance(wanted, int) and wait > wanted:
        said.append(f"has an ack_wait of {wait / 1e9:g} s, not {wanted / 1e9:g} s")
    return " and ".join(said)


async def others(api: JetStreamApi, stream: str, topology: Topology) -> list[Finding]:
    """Name the consumers of a stream of work that this version knows nothing of."""
    own = {each.name for each in topology.consumers if each.stream == stream}
    try:
        live = await consumers_in(api, stream)
    except PermissionRefused:
        return []
    return [_other(stream, each) for each in live if each["name"] not in own]


def _other(stream: str, live: Json) -> Finding:
    what = f"consumer {live['name']}"
    takes = ", ".join(filters_of(live["config"])) or "all"
    waiting = f"{live['num_pending']} of {takes} wait"
    if live.get("num_waiting"):
        return AREA.ok(what, f"is another version's, which asks for it; {waiting}")
    mend = (
        "start the version that it belongs to; if no version does any more: `nats "
        f"consumer rm {stream} {live['name']}`, and what is left becomes dead letters"
    )
    told = f"is none of this version's, and nobody asks for what it takes; {waiting}"
    return AREA.advice(what, told, mend)


def missing(what: str, denied: str | None) -> Finding:
    """Say of what is not there whether it can be made."""
    if denied is None:
        return AREA.ok(what, NOT_YET)
    told = (
        f"is missing, and publishing to {denied} is refused: this user cannot make it"
    )
    return AREA.wrong(what, told, SPEC)
