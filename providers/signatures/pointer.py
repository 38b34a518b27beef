"""JSON pointers (RFC 6901), as far as an event's id can be reached by one."""

import re
from typing import Final

from payment_service.domain.errors import InvalidRequest
from payment_service.wire.strict_json import parse_strict
from providers.signatures.scheme import EVENT_ID
from providers.signatures.settings import Unsafe

_POINTER: Final = re.compile(r"(?:/(?:[!-.0-}]|~[01])+){1,16}", re.ASCII)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)


class Pointer:
    """A way to one value in a body."""

    def __init__(self, text: str) -> None:
        if not _POINTER.fullmatch(text):
            raise Unsafe(
                "hmac.event_id_pointer", "must be a JSON pointer like /data/id"
            )
        self._steps = [
            step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/")
        ]

    def event_id(self, body: bytes) -> str | None:
        """Return the plain word or number it leads to; None where there is none."""
        try:
            found = parse_strict(body)
        except InvalidRequest:
            return None
        for step in self._steps:
            found = _child(found, step)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        plain = isinstance(found, str) and EVENT_ID.fullmatch(found)
        return str(found) if plain else None


def _child(node: object, step: str) -> object:
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and _INDEX.fullmatch(step):
        index = int(step)
        return node[index] if index < len(node) else None
    return None
