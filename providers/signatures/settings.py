"""What the configuration says about one route's signatures, and how it is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Encoding = Literal["hex", "base64", "base64url"]
TimeUnit = Literal["s", "ms", "rfc3339"]


class Unsafe(ValueError):
    """Settings that would protect nothing; ``key`` says which; no secret is told."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        super().__init__(problem)


class BadSecret(Unsafe):
    """A secret that would protect nothing; the message never holds it."""

    def __init__(self, problem: str) -> None:
        super().__init__("secrets", problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret, and from when until when it counts; by the time of arrival."""

    value: str = field(repr=False)
    not_before: datetime | None = None
    not_after: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """True within the window, its ends included."""
        begun = self.not_before is None or self.not_before <= now
        return begun and (self.not_after is None or now <= self.not_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureForm:
    """How a signature is made, and where everything it needs stands.

    The header holds one signature after ``prefix``, or, with a ``separator``,
    several items, of which those with the prefix are signatures. ``timestamp_item``
    is the prefix of the item that is the time. The ``template`` says what is signed:
    text with ``{body}``, ``{ts}``, ``{id}`` (of ``event_id_header``), ``{method}``
    and ``{path}``. Header names are in lower case. ``table`` is where in the
    configuration it stands; ``exact`` are the forms whose pages say how: base64 is
    padded then, and no space stands between two items.
    """

    table: str = "hmac"
    header: str
    template: str = "{body}"
    separator: str | None = None
    prefix: str = ""
    prefix_optional: bool = False
    exact: bool = False
    encoding: Encoding = "hex"
    algorithm: str = ""
    digest: str = "sha256"
    key_encoding: Literal["utf-8", "hex", "base64"] = "utf-8"
    key_prefix: str = ""
    path: str | None = None
    timestamp_header: str | None = None
    timestamp_item: str | None = None
    timestamp_unit: TimeUnit = "s"
    tolerance_future: timedelta | None = None
    event_id_header: str | None = None
    event_id_pointer: str | None = None

    def unsafe(self, knob: str, problem: str) -> Unsafe:
        """Return why this form is refused, by the knob that is to blame."""
        return Unsafe(f"{self.table}.{knob}", problem)

    @property
    def timed(self) -> bool:
        """True where it says somewhere when it was sent."""
        return self.timestamp_header is not None or self.timestamp_item is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """PayPal's webhook id, and its certificates in PEM by the URL that names them."""

    webhook_id: str
    certificates: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeSettings:
    """All that a scheme can be told; each takes what it knows and refuses the rest.

    ``keys`` are public ones, which rotate as secrets do.
    """

    secrets: Sequence[Secret] = ()
    keys: Sequence[Secret] = ()
    tolerance: timedelta | None = None
    hmac: SignatureForm | None = None
    public_key: SignatureForm | None = None
    token: SignatureForm | None = None
    paypal: Pins | None = None
