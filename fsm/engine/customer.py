"""A message for the customer: a code of the flow's own, and words of who said no."""

from dataclasses import dataclass
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class CustomerMessage:
    """What a customer is to be told of an order, whatever language they read.

    ``text`` is what a service has said for the customer's own eyes, as it stands; None
    where there are only our words for the ``code``.
    """

    code: str
    text: str | None = None

    @classmethod
    def read(cls, column: str | None) -> Self | None:
        """Return what a row says; None for nothing, and for what cannot be read."""
        try:
            said = orjson.loads(column or "null")
        except orjson.JSONDecodeError:
            return None
        if not isinstance(said, dict) or not isinstance(said.get("code"), str):
            return None
        text = said.get("text")
        return cls(said["code"], text if isinstance(text, str) else None)

    @property
    def written(self) -> str:
        """It, as the order's row has it: JSON in one form."""
        said = {"code": self.code} if self.text is None else _whole(self)
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def _whole(message: CustomerMessage) -> dict[str, str | None]:
    return {"code": message.code, "text": message.text}


def without_text(column: str | None) -> str | None:
    """Return what a row says without anybody's own words: they may name somebody."""
    said = CustomerMessage.read(column)
    return None if said is None else CustomerMessage(said.code).written


def told_at_end(kept: str | None, code: str | None) -> str | None:
    """Return what a row says at the end, of which the code is certain now.

    What was kept before stands, with its words, where it says the same.
    """
    if code is None:
        return None
    said = CustomerMessage.read(kept)
    return kept if said and said.code == code else CustomerMessage(code).written
