"""Finds messages in the work stream that no consumer takes: nobody would ever know.

The consumers of a work queue may not overlap, so they name the subjects they take; a
stranger's own subject in the stream is left over. What another version's consumer takes
is not: the server is asked which there are.
"""

import random
from base64 import b64decode
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fsm.domain.dead_letters import Reason
from handlers.ports.bus import Delivery
from payment_service.bus.api import JetStreamApi, Json
from payment_service.bus.durables import filters_of
from payment_service.bus.nats_client import PermissionRefused
from payment_service.bus.protocol import headers_of
from payment_service.bus.subjects import Names
from payment_service.bus.topology import TASK_SUBJECTS, TASKS, Topology
from payment_service.bus.unfit import REST, covers

UNROUTED_MAX: Final = 100
LOOKED_AT_MAX: Final = 1_000
AGE_MIN: Final = timedelta(seconds=60)
ILLEGIBLE: Final = "\ufffd"
"""What the server writes for a byte of a subject that is not UTF-8."""

UNLISTED: Final = "\x7f"
"""The byte of a subject that the server's index has for itself: it leaves that out."""

WHY: Final = "no consumer takes this subject"

DeadLettering = Callable[[Delivery, Reason, str], Awaitable[None]]


async def dead_letter_unrouted(
    api: JetStreamApi,
    names: Names,
    topology: Topology,
    dead_letter: DeadLettering,
    *,
    age_min: timedelta | None = None,
) -> int:
    """Bury up to ``UNROUTED_MAX`` of them; one is removed once its letter is kept.

    Those younger than ``age_min`` (``AGE_MIN``) stay: a consumer that is made anew, or
    made wider, may be about to take them.

    :raises BusUnavailable: JetStream did not answer.
    """
    stream = names.stream(TASKS)
    young = AGE_MIN if age_min is None else age_min
    taken = await taken_in(api, stream, topology)
    if taken is None:
        return 0
    dead_lettered = 0
    listed, unlisted, now = await _subjects(api, names, stream)
    burying = _Burying(api, names, stream, dead_letter, until=now - young)
    for subject in listed:
        if any(covers(filtered, subject) for filtered in taken):
            continue
        while dead_lettered < UNROUTED_MAX:
            if not await burying.first_of(subject):
                break
            dead_lettered += 1
    if unlisted and dead_lettered < UNROUTED_MAX:
        dead_lettered += await burying.unlisted()
    return dead_lettered


async def taken_in(
    api: JetStreamApi, stream: str, topology: Topology
) -> list[str] | None:
    """Return what any consumer of a stream takes, this version's or another's.

    None where there are others, and this user may not ask which.
    """
    own = [each for each in topology.consumers if each.stream == stream]
    taken = [subject for each in own for subject in filters_of(each.config)]
    try:
        live = await consumers_in(api, stream)
    except PermissionRefused:
        state = (await api.call(f"STREAM.INFO.{stream}"))["state"]
        if state.get("consumer_count", 0) > len(own):
            return None
        live = []
        for each in own:
            with suppress(PermissionRefused):
                found = await api.find(f"CONSUMER.INFO.{stream}.{each.name}")
                live += [] if found is None else [found]
    return taken + [
        subject for each in live for subject in filters_of(each["config"]) or [REST]
    ]


async def consumers_in(api: JetStreamApi, stream: str) -> list[Json]:
    """Return what the server says of every consumer of a stream.

    :raises PermissionRefused: this user may not ask.
    """
    found: list[Json] = []
    while True:
        page = await api.find(f"CONSUMER.LIST.{stream}", {"offset": len(found)})
        consumers = (page or {}).get("consumers") or []
        found += consumers
        if page is None or not consumers or len(found) >= page["total"]:
            return found


async def _subjects(
    api: JetStreamApi, names: Names, stream: str
) -> tuple[Sequence[str], bool, datetime]:
    """Return the subjects of messages, whether that is not all, the server's time.

    Each timer has a subject of its own: they are counted by their subjects.
    """
    found: dict[str, int] = {}
    state: Json = {}
    info: Json = {}
    for filtered in TASK_SUBJECTS:
        asked = {"subjects_filter": names.subject(filtered)}
        info = await api.call(f"STREAM.INFO.{stream}", asked)
        state = info["state"]
        found.update(state.get("subjects") or {})
    timers = state.get("num_subjects", 0) - len(found)
    is_short = state["messages"] > sum(found.values()) + timers
    return sorted(found), is_short, datetime.fromisoformat(info["ts"])


@dataclass(frozen=True, slots=True)
class _Burying:
    """Makes dead letters of messages that were stored at ``until`` or before."""

    api: JetStreamApi
    names: Names
    stream: str
    dead_letter: DeadLettering
    until: datetime

    async def first_of(self, subject: str) -> bool:
        """Bury the first message of a subject; False where none is left to bury."""
        message = await self._first(subject)
        return message is not None and await self._bury(message)

    async def unlisted(self) -> int:
        """Bury what the server lists by no subject: all are gone through to find it.

        Among many messages each call looks at some, from a place drawn by lot.
        """
        state = (await self.api.call(f"STREAM.INFO.{self.stream}", {}))["state"]
        first, last = state["first_seq"], state["last_seq"]
        many = state["messages"] > LOOKED_AT_MAX
        sequence = random.randint(first, last) if many else first  # noqa: S311 - a lot
        dead_lettered = 0
        for _ in range(LOOKED_AT_MAX):
            message = await self._at_or_after(sequence, ">")
            if message is None or dead_lettered == UNROUTED_MAX:
                break
            sequence = message["seq"] + 1
            if UNLISTED in message["subject"] and await self._bury(message):
                dead_lettered += 1
        return dead_lettered

    async def _bury(self, message: Json) -> bool:
        if datetime.fromisoformat(message["time"]) > self.until:
            return False
        delivery = Delivery(
            subject=self.names.bare(message["subject"]),
            body=b64decode(message.get("data", "")),
            headers=headers_of(b64decode(message.get("hdrs", ""))),
            deliveries=0,
            identity=f"{self.stream}.{message['seq']}",
        )
        await self.dead_letter(delivery, Reason.INVALID, WHY)
        await self.api.find(f"STREAM.MSG.DELETE.{self.stream}", {"seq": message["seq"]})
        return True

    async def _first(self, subject: str) -> Json | None:
        """Return the first message of a subject, also where that cannot be written."""
        asked = ".".join(
            "*" if ILLEGIBLE in token else token for token in subject.split(".")
        )
        after = 0
        for _ in range(LOOKED_AT_MAX):
            message = await self._at_or_after(after + 1, asked)
            if message is None or message["subject"] == subject:
                return message
            after = message["seq"]
        return None

    async def _at_or_after(self, sequence: int, filtered: str) -> Json | None:
        wanted = {"seq": sequence, "next_by_subj": filtered}
        found = await self.api.find(f"STREAM.MSG.GET.{self.stream}", wanted)
        return None if found is None else found["message"]
