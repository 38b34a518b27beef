"""What an operator may have set that would break a promise, each with its reason."""

from collections.abc import Mapping
from typing import Final

from payment_service.bus.space import Room
from payment_service.bus.topology import Stream

NEEDED: Final = {
    10047: ": give JetStream more storage, or set PAYMENT_STREAM_{}_BYTES",
    10023: ": give JetStream more storage, or set PAYMENT_STREAM_{}_BYTES",
    10002: ": give the account more storage, or set PAYMENT_STREAM_{}_BYTES",
    10026: ": raise the account's limit of consumers",
    10027: ": raise the account's limit of streams",
    10028: ": give the account more storage, or set PAYMENT_STREAM_{}_BYTES",
    10074: ": see PAYMENT_STREAM_REPLICAS",
    10113: ": the account demands a limit; set PAYMENT_STREAM_{}_BYTES",
    10120: ": the account has no tier for so many replicas: PAYMENT_STREAM_REPLICAS",
    10122: ": it allows less in one stream; set PAYMENT_STREAM_{}_BYTES",
}
"""What to do about an error of JetStream, by its code."""

REST: Final = ">"
_EVICTING: Final = ("max_bytes", "max_msgs", "max_msgs_per_subject")


def unfit_stream(
    stream: Stream,
    live: Mapping[str, object],
    room: Room,
    *,
    lacking: Mapping[str, object],
) -> list[str]:
    """Say why a stream cannot be used, with what it lacks; empty where it can."""
    mirrored = live.get("mirror")
    if isinstance(mirrored, dict):
        return [f"is a mirror of {mirrored.get('name')}: it takes nothing of its own"]
    found = []
    if len(missing_subjects(stream, live)) == len(_texts(stream.config["subjects"])):
        others = ", ".join(_texts(live.get("subjects"))) or "none"
        found.append(
            f"seems to be another application's, with the subjects {others}: set "
            "PAYMENT_SUBJECT_PREFIX"
        )
    live = {**live, **lacking}
    if live.get("sealed"):
        found.append("is sealed and takes no message")
    if live.get("no_ack"):
        found.append("acknowledges nothing (no_ack): what is stored would be unknown")
    if live.get("retention") != stream.config["retention"]:
        found.append(
            f"has retention {live.get('retention')!r}, and must have "
            f"{stream.config['retention']!r}"
        )
    return found + (_unfit_queue(stream, live, room) if stream.is_work else [])


def _unfit_queue(stream: Stream, live: Mapping[str, object], room: Room) -> list[str]:
    found = []
    variable = f"PAYMENT_STREAM_{stream.word}"
    if live.get("storage") != "file":
        found.append(
            f"storage is {live.get('storage')!r}: what was acknowledged must survive "
            "a restart, so it must be 'file'"
        )
    if live.get("subject_transform"):
        found.append("has a subject transform: what it stores nobody would take")
    if _number(live, "max_age") > 0 and "max_age" not in stream.asked:
        found.append(
            "has a max_age, which removes work that nobody has handled: remove it, or "
            f"set {variable}_AGE if that is meant"
        )
    limits = [key for key in _EVICTING if _number(live, key) > 0]
    if limits and live.get("discard") == "old" and not _is_meant(stream, limits, room):
        found.append(
            f"has {' and '.join(limits)} with discard 'old', which removes work that "
            f"nobody has handled: remove the limit, {_way_out(stream)}or set "
            f"{variable}_DISCARD=old if that is meant"
        )
    if live.get("allow_msg_schedules") and live.get("discard") == "new" and limits:
        found.append(
            "has discard 'new', which leaves schedules stuck: set discard to 'old', or "
            "PAYMENT_SCHEDULES=off and make the stream without them"
        )
    return found


def _is_meant(stream: Stream, limits: list[str], room: Room) -> bool:
    """Tell whether the settings say so, or neither account nor server allow else."""
    if "max_msgs_per_subject" in limits:
        return False
    if stream.asked.get("discard") == "old":
        return True
    has_schedules = bool(stream.config.get("allow_msg_schedules"))
    return has_schedules and (room.is_required or "max_bytes" in stream.asked)


def _way_out(stream: Stream) -> str:
    if stream.config.get("allow_msg_schedules"):
        return ""
    return "set discard to 'new', "


def missing_subjects(stream: Stream, live: Mapping[str, object]) -> list[str]:
    """Return the subjects that no subject of an existing stream covers."""
    has = _texts(live.get("subjects"))
    wanted = _texts(stream.config["subjects"])
    return [subject for subject in wanted if not any(covers(h, subject) for h in has)]


def covers(wide: str, narrow: str) -> bool:
    """Tell whether one subject, wildcards and all, takes all that another does."""
    outer, inner = wide.split("."), narrow.split(".")
    for place, part in enumerate(outer):
        if part == REST:
            return len(inner) > place
        if place >= len(inner) or inner[place] == REST:
            return False
        if part not in {"*", inner[place]}:
            return False
    return len(outer) == len(inner)


def unfit_consumer(live: Mapping[str, object]) -> list[str]:
    """Say why a consumer cannot be used as it is; empty where it can."""
    found = []
    if live.get("deliver_subject"):
        found.append("is a push consumer, and must be pulled from")
    if live.get("ack_policy") != "explicit":
        found.append(f"has ack_policy {live.get('ack_policy')!r}, not 'explicit'")
    if _number(live, "max_deliver") > 0:
        found.append(
            f"has max_deliver {live.get('max_deliver')}: the server would give up on "
            "work that nobody has handled; it must be -1"
        )
    if live.get("backoff"):
        found.append("has a backoff, which would take the place of PAYMENT_ACK_WAIT")
    if live.get("headers_only"):
        found.append("delivers headers only")
    if live.get("priority_policy") not in {None, "none"}:
        found.append("has a priority policy: only some replicas would be served")
    found += [
        f"has {key}: requests for messages would be refused"
        for key in ("max_batch", "max_expires", "max_bytes")
        if _number(live, key) > 0
    ]
    return found


def _number(config: Mapping[str, object], key: str) -> int:
    value = config.get(key)
    return value if isinstance(value, int) else 0


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
