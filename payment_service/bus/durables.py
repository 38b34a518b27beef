"""Makes missing durable consumers, and widens those that another version has made.

Nothing is taken away from one that is there: another version may run beside this one,
and what only that takes nobody else would deliver.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from payment_service.bus.api import JetStreamApi, JetStreamRefused, Json
from payment_service.bus.changes import (
    ENSURE_ATTEMPTS_MAX,
    SPEC,
    TopologyChange,
    TopologyRefused,
    texts,
    told,
)
from payment_service.bus.nats_client import PermissionRefused
from payment_service.bus.topology import Durable
from payment_service.bus.unfit import NEEDED, covers, unfit_consumer

CONSUMER_EXISTS: Final = 10148


async def ensure_consumer(
    api: JetStreamApi, durable: Durable, beside: Sequence[str] = ()
) -> TopologyChange | None:
    """Make a consumer, or widen it; ``beside`` are names of others of its stream.

    :raises TopologyRefused: it cannot be made, or used.
    """
    at = f"{durable.stream}.{durable.name}"
    for _ in range(ENSURE_ATTEMPTS_MAX):
        try:
            found = await api.find(f"CONSUMER.INFO.{at}")
        except PermissionRefused:
            return await _make_consumer_unseen(api, durable)
        if found is not None:
            return await _use_consumer(api, durable, found["config"], beside)
        if await _make_consumer(api, durable):
            return TopologyChange(name=at, what="created")
    raise TopologyRefused([f"consumer {at}: others make it and remove it"])


async def _use_consumer(
    api: JetStreamApi, durable: Durable, live: Json, beside: Sequence[str]
) -> TopologyChange | None:
    at = f"{durable.stream}.{durable.name}"
    problems = unfit_consumer(live)
    if problems:
        raise TopologyRefused([f"consumer {at} {each}" for each in problems])
    lacking = corrections(durable, live)
    if "filter_subjects" in lacking:
        taken = await taken_beside(api, durable.stream, beside)
        lacking = corrections(durable, live, taken)
    if not lacking:
        return None
    what = told(lacking, live)
    await _change_consumer(api, durable, {**live, **lacking}, what)
    return TopologyChange(name=at, what=f"updated: {what}")


async def taken_beside(
    api: JetStreamApi, stream: str, names: Sequence[str]
) -> list[str]:
    """Return the filters of these consumers of a stream, of those that are there."""
    taken: list[str] = []
    for name in names:
        with suppress(PermissionRefused):
            found = await api.find(f"CONSUMER.INFO.{stream}.{name}")
            taken += filters_of(found["config"]) if found else []
    return taken


async def _make_consumer_unseen(
    api: JetStreamApi, durable: Durable
) -> TopologyChange | None:
    """Make a consumer that may not be looked at; if it may not be made it is there."""
    try:
        await _make_consumer(api, durable)
    except TopologyRefused as refused:
        if isinstance(refused.__cause__, PermissionRefused):
            return None
        raise
    return None


async def _make_consumer(api: JetStreamApi, durable: Durable) -> bool:
    """Make it; False where there is one that another version has made otherwise."""
    config = {**durable.initial, **durable.config}
    try:
        await _change_consumer(api, durable, config, "missing", action="create")
    except TopologyRefused as refused:
        cause = refused.__cause__
        if isinstance(cause, JetStreamRefused) and cause.err_code == CONSUMER_EXISTS:
            return False
        raise
    return True


async def _change_consumer(
    api: JetStreamApi, durable: Durable, config: Json, what: str, *, action: str = ""
) -> None:
    """Create or update it: replicas that do so at the same time agree."""
    at = f"{durable.stream}.{durable.name}"
    body: Json = {"stream_name": durable.stream, "config": config, "action": action}
    try:
        await api.call(f"CONSUMER.CREATE.{at}", body)
    except PermissionRefused as refused:
        problem = f"consumer {at} ({what}): {refused}: {SPEC}"
        raise TopologyRefused([problem]) from refused
    except JetStreamRefused as refused:
        hint = NEEDED.get(refused.err_code, "")
        problem = f"consumer {at} ({what}): {refused.description} ({refused.err_code})"
        raise TopologyRefused([problem + hint]) from refused


async def recreate(api: JetStreamApi, durable: Durable) -> None:
    """Make a consumer anew: all that is not acknowledged is delivered again.

    It takes what it took, whoever had it take that.
    """
    at = f"{durable.stream}.{durable.name}"
    found = await api.find(f"CONSUMER.INFO.{at}")
    if found is not None:
        live = found["config"]
        wide = {"filter_subjects": _wide(durable, live), "ack_wait": live["ack_wait"]}
        config = {**durable.config, **wide, **corrections(durable, live)}
        durable = replace(durable, config=config)
    await api.find(f"CONSUMER.DELETE.{at}")
    await ensure_consumer(api, durable)


def corrections(
    durable: Durable, live: Mapping[str, object], beside: Iterable[str] = ()
) -> Json:
    """Return what an existing consumer has to be told: it is made wider, or slower.

    What it takes besides may be another version's. ``beside`` are filters of the
    stream's other consumers: of a work queue's no two may take the same.
    """
    lacking: Json = {}
    taken = [*filters_of(live), *beside]
    wanted = texts(durable.config["filter_subjects"])
    if any(not _is_taken(subject, taken) for subject in wanted):
        kept = [each for each in wanted if not _is_taken(each, beside)]
        lacking["filter_subjects"] = _wide(durable, live, kept)
    wait, has = durable.config["ack_wait"], live.get("ack_wait")
    if isinstance(wait, int) and (not isinstance(has, int) or has < wait):
        lacking["ack_wait"] = wait
    return lacking


def filters_of(config: Mapping[str, object]) -> list[str]:
    """Return the subjects that a consumer takes; none where it takes all."""
    one = config.get("filter_subject")
    return texts(config.get("filter_subjects")) or (
        [one] if isinstance(one, str) else []
    )


def _wide(
    durable: Durable, live: Mapping[str, object], wanted: Sequence[str] | None = None
) -> list[str]:
    """Return what a consumer takes and what it shall take; no two filters overlap."""
    if wanted is None:
        wanted = texts(durable.config["filter_subjects"])
    wider = [each for each in filters_of(live) if not _is_taken(each, wanted)]
    new = [each for each in wanted if not _is_taken(each, wider)]
    return [*wider, *new]


def _is_taken(subject: str, filters: Iterable[str]) -> bool:
    return any(covers(wide, subject) for wide in filters)
