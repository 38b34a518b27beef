"""JSON pointers (RFC 6901), as far as an event's id can be reached by one."""

import re
from typing import Final

from fsm.domain.errors import InvalidRequest
from fsm.domain.foreign_json import read_foreign
from fsm.domain.odd import Odd
from providers.signatures.scheme import EVENT_ID

_POINTER: Final = re.compile(r"(?:/(?:[!-.0-}]|~[01])+){1,16}", re.ASCII)
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)


class Pointer:
    """A way to one value in a body."""

    def __init__(self, text: str) -> None:
        if not _POINTER.fullmatch(text):
            raise ValueError("must be a JSON pointer like /data/id")
        self._text = text
        self._steps = [
            step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/")
        ]

    def event_id(self, body: bytes) -> str | None:
        """Return the plain word or number it leads to; None where nothing is there.

        :raises InvalidRequest: what is there is no event's id; it is not shown.
        """
        found = read_foreign(body) if body.strip() else None
        for step in self._steps:
            found = _child(found, step)
        if found is None:
            return None
        if isinstance(found, Odd):
            raise InvalidRequest(f"{self._text} {found.problem}")
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not EVENT_ID.fullmatch(found):
            raise InvalidRequest(f"{self._text} is no event's id")
        return found


def _child(node: object, step: str) -> object:
    if isinstance(node, Odd):
        return node
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and _INDEX.fullmatch(step):
        index = int(step)
        return node[index] if index < len(node) else None
    return None
