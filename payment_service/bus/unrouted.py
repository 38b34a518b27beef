"""Finds messages in the work stream that no consumer takes: nobody would ever know.

The consumers of a work queue may not overlap, so they name the subjects they take; a
stranger's own subject in the stream is left over. What another version's consumer takes
is not: the server is asked which there are.
"""

import asyncio
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
    burying = _Burying(api, names, stream, dead_letter, taken, until=now - young)
    for subject in listed:
        if dead_lettered < UNROUTED_MAX and not burying.is_taken(subject):
            dead_lettered += await burying.matching(
                subject, UNROUTED_MAX - dead_lettered
            )
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
    taken: Sequence[str]
    until: datetime

    def is_taken(self, subject: str) -> bool:
        """Tell whether a consumer takes a subject."""
        return any(covers(filtered, subject) for filtered in self.taken)

    async def matching(self, subject: str, most: int) -> int:
        """Bury up to ``most`` of a subject, and what cannot be told from it.

        One with a wildcard, or with a byte that cannot be written, finds others too:
        what no consumer takes of them goes with it, or all of them would be gone
        through again for the sake of each.
        """
        asked = ".".join(
            "*" if ILLEGIBLE in token else token for token in subject.split(".")
        )
        found: list[Json] = []
        sequence = 1
        for _ in range(LOOKED_AT_MAX):
            message = await self._at_or_after(sequence, asked)
            if message is None or self._is_young(message) or len(found) == most:
                break
            sequence = message["seq"] + 1
            if not self.is_taken(message["subject"]):
                found.append(message)
        await asyncio.gather(*map(self._bury, found))
        return len(found)

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
            if UNLISTED in message["subject"] and not self._is_young(message):
                await self._bury(message)
                dead_lettered += 1
        return dead_lettered

    def _is_young(self, message: Json) -> bool:
        return datetime.fromisoformat(message["time"]) > self.until

    async def _bury(self, message: Json) -> None:
        delivery = Delivery(
            subject=self.names.bare(message["subject"]),
            body=b64decode(message.get("data", "")),
            headers=headers_of(b64decode(message.get("hdrs", ""))),
            deliveries=0,
            identity=f"{self.stream}.{message['seq']}",
        )
        await self.dead_letter(delivery, Reason.INVALID, WHY)
        await self.api.find(f"STREAM.MSG.DELETE.{self.stream}", {"seq": message["seq"]})

    async def _at_or_after(self, sequence: int, filtered: str) -> Json | None:
        wanted = {"seq": sequence, "next_by_subj": filtered}
        found = await self.api.find(f"STREAM.MSG.GET.{self.stream}", wanted)
        return None if found is None else found["message"]
