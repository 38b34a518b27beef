"""Makes missing streams and consumers, and judges those that an operator has made.

What an operator has set is left; where it would break a promise it is refused with the
reason, and never undone. Only what the service itself needs is added, and nothing is
taken away: another version may run beside this one, and need it.
"""

import asyncio
import random
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
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
from payment_service.bus.durables import ensure_consumer
from payment_service.bus.nats_client import PermissionRefused
from payment_service.bus.space import Room, is_guess, room_of, sizes
from payment_service.bus.topology import Stream, Topology
from payment_service.bus.unfit import NEEDED, missing_subjects, unfit_stream

ROOM_ATTEMPTS_MAX: Final = 8
ROOM_PAUSE_SECONDS_MAX: Final = 0.4
"""Who makes an archive holds twice its size for a moment: others find no room then."""
STREAM_EXISTS: Final = 10058
SUBJECTS_OVERLAP: Final = 10065
NO_ROOM: Final = frozenset({10002, 10023, 10028, 10047})


async def ensure(
    api: JetStreamApi, topology: Topology, *, asks: bool = True
) -> tuple[TopologyChange, ...]:
    """Make what is missing, add what is needed; any number of replicas may do so.

    Not ``asks`` leaves streams that are there as other settings have made them: said
    again and again, the settings of two versions would change them for ever.

    :raises TopologyRefused: names all that cannot be made or used.
    """
    changes: list[TopologyChange] = []
    problems: list[str] = []
    missing: set[str] = set()
    for stream in topology.streams:
        if await _tried(_ensure_stream(api, stream, asks=asks), changes, problems):
            continue
        missing.add(stream.name)
    for durable in topology.consumers:
        if durable.stream not in missing:
            beside = [
                each.name
                for each in topology.consumers
                if each.stream == durable.stream and each is not durable
            ]
            made = ensure_consumer(api, durable, beside)
            await _tried(made, changes, problems)
    if problems:
        raise TopologyRefused(problems, changes)
    return tuple(changes)


def additions(stream: Stream, live: Mapping[str, object], *, asks: bool = True) -> Json:
    """Return what an existing stream lacks, or what the settings say otherwise."""
    asked = stream.asked if asks else {}
    lacking: Json = {
        key: value for key, value in asked.items() if live.get(key) != value
    }
    subjects = missing_subjects(stream, live)
    if subjects:
        lacking["subjects"] = [*texts(live.get("subjects")), *subjects]
    if stream.config.get("allow_msg_schedules") and not live.get("allow_msg_schedules"):
        lacking["allow_msg_schedules"] = True
    wanted, has = stream.config["num_replicas"], live.get("num_replicas")
    # More than were asked for are the operator's.
    if isinstance(wanted, int) and isinstance(has, int) and has < wanted:
        lacking["num_replicas"] = wanted
    return lacking


async def _tried(
    work: Awaitable[TopologyChange | None],
    changes: list[TopologyChange],
    problems: list[str],
) -> bool:
    try:
        change = await work
    except TopologyRefused as refused:
        problems.extend(refused.problems)
        return False
    if change is not None:
        changes.append(change)
    return True


async def _ensure_stream(
    api: JetStreamApi, stream: Stream, *, asks: bool
) -> TopologyChange | None:
    for _ in range(ENSURE_ATTEMPTS_MAX):
        try:
            found = await api.find(f"STREAM.INFO.{stream.name}")
        except PermissionRefused:
            return await _make_unseen(api, stream)
        if found is not None:
            return await _use_stream(api, stream, found["config"], asks=asks)
        if await _make_stream(api, stream):
            return TopologyChange(name=stream.name, what="created")
    raise TopologyRefused([f"stream {stream.name}: others make it and remove it"])


async def _make_unseen(api: JetStreamApi, stream: Stream) -> TopologyChange | None:
    """Make a stream that may not be looked at; if it may not be made it is there."""
    try:
        made = await _make_stream(api, stream)
    except TopologyRefused as refused:
        if isinstance(refused.__cause__, PermissionRefused):
            return None
        raise
    return TopologyChange(name=stream.name, what="created") if made else None


async def _make_stream(api: JetStreamApi, stream: Stream) -> bool:
    """Make it in the room there is; False where another was faster."""
    config: Json = {**stream.config, **stream.initial, **stream.asked}
    try:
        room = await room_of(api, replicas=int(config["num_replicas"]))
        await _create_in_time(api, stream, config, room)
    except JetStreamRefused as refused:
        if refused.err_code == STREAM_EXISTS:
            return False
        problem = f"stream {stream.name} is missing: {await _why(api, stream, refused)}"
        raise TopologyRefused([problem]) from refused
    except PermissionRefused as refused:
        problem = f"stream {stream.name} is missing, and {refused}: {SPEC}"
        raise TopologyRefused([problem]) from refused
    return True


async def _create_in_time(
    api: JetStreamApi, stream: Stream, config: Json, room: Room
) -> None:
    tried = [*sizes(stream, room)]
    for left in reversed(range(ROOM_ATTEMPTS_MAX)):
        try:
            await _create(api, config, tried, is_guess=is_guess(stream, room))
        except JetStreamRefused as refused:
            if refused.err_code not in NO_ROOM or not left:
                raise
            # Drawn, so that those who met once do not meet again.
            pause = random.uniform(0, ROOM_PAUSE_SECONDS_MAX)  # noqa: S311 - no secret
            await asyncio.sleep(pause)
        else:
            return


async def _create(
    api: JetStreamApi, config: Json, tried: Sequence[int], *, is_guess: bool
) -> None:
    name = config["name"]
    for size in tried:
        try:
            await api.call(f"STREAM.CREATE.{name}", {**config, "max_bytes": size})
        except JetStreamRefused as refused:
            if refused.err_code not in NO_ROOM or size == tried[-1]:
                raise
            continue
        if size > 0 and (is_guess or size != tried[0]):
            await _halve(api, config, size)
        return


async def _halve(api: JetStreamApi, config: Json, size: int) -> None:
    """Leave half of what was found: it must not all belong to one stream.

    :raises JetStreamRefused: the same room was given to others; it was given back.
    """
    name = config["name"]
    try:
        await api.call(f"STREAM.UPDATE.{name}", {**config, "max_bytes": size // 2})
    except JetStreamRefused as refused:
        if refused.err_code not in NO_ROOM:
            raise
        # The server gives the last room to all who ask at once, and then refuses even
        # to take some back. Nobody could make anything until one of them has gone.
        info = await api.call(f"STREAM.INFO.{name}")
        if info["state"]["messages"]:
            return
        with suppress(PermissionRefused):
            await api.find(f"STREAM.DELETE.{name}")
            raise


async def _why(api: JetStreamApi, stream: Stream, refused: JetStreamRefused) -> str:
    """Say why a stream was not made, with what to do about it."""
    because = f"{refused.description} ({refused.err_code})"
    if refused.err_code != SUBJECTS_OVERLAP:
        hint = NEEDED.get(refused.err_code, "").format(stream.word)
        return f"{because}{hint}"
    others: set[str] = set()
    for subject in texts(stream.config["subjects"]):
        names = await api.find("STREAM.NAMES", {"subject": subject})
        others.update(texts((names or {}).get("streams")))
    return f"{because}: they belong to {', '.join(sorted(others)) or 'another stream'}"


async def _use_stream(
    api: JetStreamApi, stream: Stream, live: Json, *, asks: bool
) -> TopologyChange | None:
    lacking = additions(stream, live, asks=asks)
    room = Room()
    problems = unfit_stream(stream, live, room, lacking=lacking)
    if problems and stream.is_work:
        # An account that demands a limit leaves no choice.
        room = await room_of(api, replicas=int(live.get("num_replicas") or 1))
        problems = unfit_stream(stream, live, room, lacking=lacking)
    if problems:
        raise TopologyRefused([f"stream {stream.name} {each}" for each in problems])
    if not lacking:
        return None
    what = told(lacking, live)
    try:
        await api.call(f"STREAM.UPDATE.{stream.name}", {**live, **lacking})
    except (JetStreamRefused, PermissionRefused) as refused:
        problem = f"stream {stream.name} cannot be changed ({what}): {refused}"
        raise TopologyRefused([problem]) from refused
    return TopologyChange(name=stream.name, what=f"updated: {what}")
