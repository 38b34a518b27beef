"""Finds messages in the work stream that no consumer takes: nobody would ever know.

The consumers of a work queue may not overlap, so they name the subjects they take; a
stranger's or a newer version's own subject in the stream is left over.
"""

import random
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from fsm.domain.dead_letters import Reason
from handlers.ports.bus import Delivery
from payment_service.bus.api import Api, Json
from payment_service.bus.names import Names
from payment_service.bus.protocol import headers_of
from payment_service.bus.topology import TASK_SUBJECTS, TASKS, Topology

UNROUTED_MAX: Final = 100
LOOKED_AT_MAX: Final = 1_000
ILLEGIBLE: Final = "\ufffd"
"""What the server writes for a byte of a subject that is not UTF-8."""

UNLISTED: Final = "\x7f"
"""The byte of a subject that the server's index has for itself: it leaves that out."""

WHY: Final = "no consumer takes this subject"

DeadLettering = Callable[[Delivery, Reason, str], Awaitable[None]]


async def dead_letter_unrouted(
    api: Api, names: Names, topology: Topology, dead_letter: DeadLettering
) -> int:
    """Bury up to ``UNROUTED_MAX`` of them; one is removed once its letter is kept.

    :raises BusUnavailable: JetStream did not answer.
    """
    stream = names.stream(TASKS)
    taken = [
        filtered
        for consumer in topology.consumers
        if consumer.stream == stream
        for filtered in _texts(consumer.config["filter_subjects"])
    ]
    dead_lettered = 0
    listed, unlisted = await _subjects(api, names, stream)
    for subject in listed:
        if any(matches(subject, filtered) for filtered in taken):
            continue
        while dead_lettered < UNROUTED_MAX:
            if not await _dead_letter_first(api, names, stream, subject, dead_letter):
                break
            dead_lettered += 1
    if unlisted and dead_lettered < UNROUTED_MAX:
        dead_lettered += await _bury_unlisted(api, names, stream, dead_letter)
    return dead_lettered


def matches(subject: str, filtered: str) -> bool:
    """Tell whether a filter whose stars stand for one token takes a subject."""
    tokens, wanted = subject.split("."), filtered.split(".")
    return len(tokens) == len(wanted) and all(
        want in {"*", token} for token, want in zip(tokens, wanted, strict=True)
    )


async def _subjects(api: Api, names: Names, stream: str) -> tuple[Sequence[str], bool]:
    """Return the subjects of messages in the stream, and whether that is not all.

    Each timer has a subject of its own: they are counted by their subjects.
    """
    found: dict[str, int] = {}
    state: Json = {}
    for filtered in TASK_SUBJECTS:
        asked = {"subjects_filter": names.subject(filtered)}
        info = await api.call(f"STREAM.INFO.{stream}", asked)
        state = info["state"]
        found.update(state.get("subjects") or {})
    timers = state.get("num_subjects", 0) - len(found)
    return sorted(found), state["messages"] > sum(found.values()) + timers


async def _bury_unlisted(
    api: Api, names: Names, stream: str, dead_letter: DeadLettering
) -> int:
    """Bury what the server lists by no subject: it is found by going through them all.

    Among many messages each call looks at some, from a place drawn by lot.
    """
    state = (await api.call(f"STREAM.INFO.{stream}", {}))["state"]
    first, last = state["first_seq"], state["last_seq"]
    many = state["messages"] > LOOKED_AT_MAX
    sequence = random.randint(first, last) if many else first  # noqa: S311 - a lot
    dead_lettered = 0
    for _ in range(LOOKED_AT_MAX):
        wanted = {"seq": sequence, "next_by_subj": ">"}
        found = await api.find(f"STREAM.MSG.GET.{stream}", wanted)
        if found is None or dead_lettered == UNROUTED_MAX:
            break
        message: Json = found["message"]
        sequence = message["seq"] + 1
        if UNLISTED in message["subject"]:
            await _bury_it(api, names, stream, message, dead_letter)
            dead_lettered += 1
    return dead_lettered


async def _dead_letter_first(
    api: Api, names: Names, stream: str, subject: str, dead_letter: DeadLettering
) -> bool:
    message = await _first(api, stream, subject)
    if message is None:
        return False
    await _bury_it(api, names, stream, message, dead_letter)
    return True


async def _bury_it(
    api: Api, names: Names, stream: str, message: Json, dead_letter: DeadLettering
) -> None:
    delivery = Delivery(
        subject=names.bare(message["subject"]),
        body=b64decode(message.get("data", "")),
        headers=headers_of(b64decode(message.get("hdrs", ""))),
        deliveries=0,
        identity=f"{stream}.{message['seq']}",
    )
    await dead_letter(delivery, Reason.INVALID, WHY)
    await api.find(f"STREAM.MSG.DELETE.{stream}", {"seq": message["seq"]})


async def _first(api: Api, stream: str, subject: str) -> Json | None:
    """Return the first message of a subject, also where that cannot be written."""
    asked = ".".join(
        "*" if ILLEGIBLE in token else token for token in subject.split(".")
    )
    after = 0
    for _ in range(LOOKED_AT_MAX):
        wanted = {"seq": after + 1, "next_by_subj": asked}
        found = await api.find(f"STREAM.MSG.GET.{stream}", wanted)
        if found is None:
            return None
        message: Json = found["message"]
        if message["subject"] == subject:
            return message
        after = message["seq"]
    return None


def _texts(value: object) -> Iterable[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
