"""Invents webhooks: genuine ones, spoilt ones, and ones that never were genuine."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from tests.fuzz.routes import (
    DEAD_KEY,
    NEXT_KEY,
    NOW,
    OLD_KEY,
    Pairs,
    Route,
    Wish,
    adyen_body,
    adyen_item,
)

SIZE_MAX: Final = 256 * 1024
OLD_SHARE: Final = 0.2
SENT: Final = int(NOW.timestamp())
STRANGER: Final = b"a key that is not known to anyone"
NAMES: Final = (
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "stripe-signature",
    "x-signature",
    "x-event-id",
    "cko-signature",
    "hmacsignature",
    "paypal-transmission-id",
    "paypal-transmission-time",
    "paypal-transmission-sig",
    "paypal-cert-url",
    "paypal-auth-algo",
    "x-listed",
    "x-chained",
    "x-signature-sha256",
    "x-delivery-id",
    "x-curved",
    "x-curved-time",
    "x-halved",
    "x-e",
    "x-e-id",
    "x-e-sent",
    "x-token",
    "content-type",
    "content-encoding",
    "content-length",
    "expect",
    "traceparent",
)
_BAD_URLS: Final = (
    "http://api.paypal.com/v1/notifications/certs/CERT-360caa42",
    "https://api.paypal.com:443/v1/notifications/certs/CERT-360caa42",
    "https://a@api.paypal.com/v1/notifications/certs/CERT-360caa42",
    "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-360caa42",
    "https://api.paypal.com/v1/notifications/certs/../certs/CERT-360caa42",
    "https://api.paypal.com/v1/notifications/certs/CERT-360caa42?a",
    "https://127.0.0.1/v1/notifications/certs/CERT-360caa42",
    "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42",
)
_VERSIONS: Final = (
    ("v1,", "v1a,"),
    ("v1,", "v2,"),
    ("v1=", "v0="),
    ("v1=", "V1="),
    ("sha256=", "sha1="),
    ("sha256=", ""),
    ("v2=", "v1="),
    ("s=", "v="),
    ("t=", "T="),
    ("SHA256withRSA", "SHA1withRSA"),
    ("SHA256withRSA", "none"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request, and whether it is as the provider would have sent it.

    One that is ``unreadable`` is signed as it should be: it is 400, and never 401.
    """

    kind: str
    route: str
    headers: Pairs
    body: bytes
    genuine: bool = False
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What an invention starts from."""

    dice: Random
    route: Route
    others: Sequence[Route]
    event: str

    def signed(self, body: bytes | None = None, wish: Wish | None = None) -> Sent:
        """Return a genuine request, or one with this body, signed all the same."""
        told = self.body() if body is None else body
        wish = wish or Wish(event=self.event, sent=SENT)
        return Sent(
            kind="",
            route=self.route.name,
            headers=self.route.sign(told, wish),
            body=told,
        )

    def body(self) -> bytes:
        """Write a body of the route."""
        return self.route.compose(self.event, f"task-{self.event}")


Invention = Callable[[Case], Sent]


def genuine(case: Case) -> Sent:
    """As the provider sends it, with the key of now or the one before."""
    if case.route.name == "adyen":
        return replace(case.signed(), genuine=True)
    key = OLD_KEY if case.dice.random() < OLD_SHARE else Wish(event="", sent=0).key
    late = case.dice.randint(-5, 60)
    wish = Wish(event=case.event, sent=SENT - late, key=key)
    return replace(case.signed(wish=wish), genuine=True)


def flipped_body(case: Case) -> Sent:
    """One bit of the body is another."""
    sent = case.signed()
    return replace(sent, body=_flipped(case.dice, sent.body))


def flipped_header(case: Case) -> Sent:
    """One bit of a header is another."""
    return _changed(case, lambda text: _latin(_flipped(case.dice, text.encode())))


def cut_header(case: Case) -> Sent:
    """A header is shorter."""
    return _changed(case, lambda text: text[: case.dice.randrange(len(text) + 1)])


def dropped(case: Case) -> Sent:
    """A header is missing."""
    sent = case.signed()
    kept = list(sent.headers)
    if kept:
        kept.pop(case.dice.randrange(len(kept)))
    return replace(sent, headers=kept)


def doubled(case: Case) -> Sent:
    """A header is there twice, alike or not."""
    sent = case.signed()
    if not sent.headers:
        return sent
    name, value = case.dice.choice(sent.headers)
    value = case.dice.choice([value, "", value[::-1]])
    headers = [*sent.headers]
    headers.insert(case.dice.randrange(len(headers) + 1), (name, value))
    return replace(sent, headers=headers)


def spaced(case: Case) -> Sent:
    """White space, where none belongs."""
    space = case.dice.choice([" ", "\t", "\n", "\r\n", "\x0b", "\xa0", "\x00"])
    return _changed(case, lambda text: _inserted(case.dice, text, space))


def foreign_digits(case: Case) -> Sent:
    """Digits of another script, which a number is made of just as well."""
    first = case.dice.choice([0xFF10, 0x0660, 0x00B2])

    def foreign(text: str) -> str:
        moved = "".join(
            chr(first + int(sign)) if sign.isdecimal() else sign for sign in text
        )
        return _latin(moved.encode())

    return _changed(case, foreign)


def other_number(case: Case) -> Sent:
    """A time that is written otherwise."""
    words = [f"+{SENT}", f"0{SENT}", f"{SENT}.0", f"{SENT}_0", "9" * 400, "-1", "nan"]
    return _changed(
        case, lambda text: text.replace(str(SENT), case.dice.choice([*words, "1e9"]))
    )


def other_version(case: Case) -> Sent:
    """Another version, or none."""
    old, new = case.dice.choice(_VERSIONS)
    return _changed(case, lambda text: text.replace(old, new))


def other_case(case: Case) -> Sent:
    """Letters of the other size; one scheme forgives it."""
    return _changed(case, str.swapcase)


def many_signatures(case: Case) -> Sent:
    """More signatures than anybody has keys for."""
    sign = case.dice.choice([" ", ",", ";"])
    count = case.dice.choice([2, 15, 16, 17, 40])
    return _changed(case, lambda text: sign.join([text] * count))


def long_header(case: Case) -> Sent:
    """A header that goes on."""
    return _changed(case, lambda text: text + "A" * case.dice.choice([100, 5000]))


def bad_url(case: Case) -> Sent:
    """A certificate from elsewhere."""
    url = case.dice.choice(_BAD_URLS)
    return _changed(case, lambda text: url if text.startswith("https://") else text)


def untimely(case: Case) -> Sent:
    """Signed well, at another time."""
    away = case.dice.choice([-301, 301, -(10**6), 10**6, 59, 61, -6, 299])
    return case.signed(wish=Wish(event=case.event, sent=SENT + away))


def wrong_key(case: Case) -> Sent:
    """Signed well, with a key that does not count."""
    key = case.dice.choice([STRANGER, DEAD_KEY, NEXT_KEY])
    if case.route.name == "adyen":
        item = adyen_item(case.event, "task", key)
        return case.signed(adyen_body(item))
    return case.signed(wish=Wish(event=case.event, sent=SENT, key=key))


def other_route(case: Case) -> Sent:
    """Signed well, for somebody else."""
    other = case.dice.choice(case.others)
    return replace(case.signed(), route=other.name)


def headers_of_another(case: Case) -> Sent:
    """The headers of another scheme, beside the body or beside ours."""
    sent, other = case.signed(), case.dice.choice(case.others)
    strange = other.sign(sent.body, Wish(event=case.event, sent=SENT))
    ours = sent.headers if case.dice.choice([True, False]) else []
    return replace(sent, headers=[*strange, *ours])


def other_event(case: Case) -> Sent:
    """The same webhook as another event."""
    return _changed(case, lambda text: text.replace(case.event, f"{case.event}x"))


def odd_body(case: Case) -> Sent:
    """Signed well, and no JSON that anybody should read."""
    body = case.dice.choice(_ODD)
    if case.dice.choice([True, False]):
        body = case.body()[:-1] + b', "more": ' + body + b"}"
    return case.signed(body)


def odd_aside(case: Case) -> Sent:
    """Signed well, and odd where nobody looks: it counts like any other."""
    odd = case.dice.choice(_ASIDE)
    body = case.body()
    body = case.dice.choice(
        [body[:-1] + b", " + odd + b"}", b"{" + odd + b", " + body[1:]]
    )
    before, after = case.dice.choice(_AROUND)
    return replace(case.signed(before + body + after), genuine=True)


def odd_reference(case: Case) -> Sent:
    """Signed well, and odd where it must be read."""
    if case.route.name in _LISTENING:
        return genuine(case)
    odd = case.dice.choice(
        [b'"reference": "other"', b'"type": "payout.failed"', b'"reference": null']
    )
    return replace(case.signed(case.body()[:-1] + b", " + odd + b"}"), unreadable=True)


def doubled_key(case: Case) -> Sent:
    """Signed well, and a key is there twice."""
    body = case.body()
    return case.signed(body[:-1] + b", " + body[1:])


def nested(case: Case) -> Sent:
    """Signed well, and deeper than anybody needs."""
    depth = case.dice.choice([30, 31, 32, 33, 2000, 60_000])
    inner = case.dice.choice([b"[", b'{"a":']) * depth
    return case.signed(case.body()[:-1] + b', "more": ' + inner + b"}")


def nested_well(case: Case) -> Sent:
    """Signed well, and deep, and well formed."""
    depth = case.dice.choice([30, 31, 32, 33, 500])
    inner = b"[" * depth + b"]" * depth
    return case.signed(case.body()[:-1] + b', "more": ' + inner + b"}")


def oversized(case: Case) -> Sent:
    """Signed well, and too large, or just not."""
    size = case.dice.choice([SIZE_MAX - 1, SIZE_MAX, SIZE_MAX + 1, 2 * SIZE_MAX])
    body = case.body()
    return case.signed(body + b" " * (size - len(body)))


def compressed(case: Case) -> Sent:
    """Signed well, and packed."""
    sent = case.signed(gzip.compress(case.body(), 1))
    coding = case.dice.choice(["gzip", "GZIP", "zstd", "br", "identity, gzip", "x"])
    return replace(sent, headers=[*sent.headers, ("content-encoding", coding)])


def other_type(case: Case) -> Sent:
    """Signed well, and said to be something else."""
    told = case.dice.choice(["text/plain", "application/xml", "", "application/json; "])
    sent = case.signed()
    return replace(sent, headers=[*sent.headers, ("content-type", told + "\xff")])


def nobody(case: Case) -> Sent:
    """Signed well, for a provider that does not exist."""
    names = [
        "nobody",
        "%00",
        "..%2fstandard",
        "STANDARD",
        "standard%20",
        "%ff",
        "a" * 99,
    ]
    return replace(case.signed(), route=case.dice.choice(names))


def several_items(case: Case) -> Sent:
    """Several items; one of them may be of somebody else, or moved over a border."""
    good = [
        adyen_item(f"{case.event}{n}", "a:b") for n in range(case.dice.randint(1, 4))
    ]
    other = dict(case.dice.choice(good))
    spoil = case.dice.randrange(6)
    if spoil == 0:
        other = adyen_item("forged", "x", STRANGER)
    elif spoil == 1:
        other |= {"merchantAccountCode": "TestMerchant:a", "merchantReference": "b"}
    elif spoil == 2:
        other |= {"success": case.dice.choice([True, "false", None, 1, ["true"]])}
    elif spoil == 3:
        other |= {
            "amount": {"value": case.dice.choice(["1130", 1130.0, True, None, -1])}
        }
    body = adyen_body(*good, other) if spoil < 5 else adyen_body()
    return case.signed(body)


def invented(case: Case) -> Sent:
    """Nothing of it was ever genuine."""
    dice = case.dice
    count = dice.randrange(6)
    headers = [(dice.choice(NAMES), _noise(dice)) for _ in range(count)]
    body = dice.randbytes(dice.choice([0, 1, 20, 300]))
    return Sent(kind="", route=case.route.name, headers=headers, body=body)


INVENTIONS: Final[Sequence[tuple[Invention, float]]] = (
    (genuine, 4),
    (flipped_body, 2),
    (flipped_header, 2),
    (cut_header, 1),
    (dropped, 1),
    (doubled, 1),
    (spaced, 1),
    (foreign_digits, 1),
    (other_number, 1),
    (other_version, 1),
    (other_case, 1),
    (many_signatures, 1),
    (long_header, 1),
    (bad_url, 0.2),
    (untimely, 1),
    (wrong_key, 1),
    (other_route, 1),
    (headers_of_another, 1),
    (other_event, 1),
    (odd_body, 1),
    (odd_aside, 2),
    (odd_reference, 1),
    (doubled_key, 1),
    (nested, 0.3),
    (nested_well, 0.3),
    (oversized, 0.1),
    (compressed, 0.3),
    (other_type, 0.3),
    (nobody, 0.3),
    (several_items, 1),
    (invented, 2),
)
_MAKERS: Final = [maker for maker, _ in INVENTIONS]
_WEIGHTS: Final = [weight for _, weight in INVENTIONS]


def invent(dice: Random, all_routes: Sequence[Route], number: int) -> Sent:
    """Return the next request; the first ones are of every kind once."""
    (maker,) = dice.choices(_MAKERS, _WEIGHTS)
    if number < len(_MAKERS):
        maker = _MAKERS[number]
    route = dice.choice(all_routes)
    if maker is several_items:
        route = next(one for one in all_routes if one.name == "adyen")
    if maker is bad_url:
        route = next(one for one in all_routes if one.name == "paypal")
    others = [one for one in all_routes if one is not route]
    sent = maker(Case(dice, route, others, f"e{number}"))
    return replace(sent, kind=maker.__name__)


_LISTENING: Final = frozenset({"adyen", "paypal", "several"})
_AROUND: Final = ((b"", b""), (b"\xef\xbb\xbf", b""), (b"", b"\r\n"), (b" ", b"\0\0"))
_ASIDE: Final = (
    b'"x": NaN',
    b'"x": -Infinity',
    b'"x": 1e999',
    b'"x": 1180591620717411303424',
    b'"x": ' + b"9" * 5000,
    b'"x": 1, "x": 2',
    b'"x": {"a": {"b": 1, "b": 2}}',
    b'"x": "\xff\xfe"',
    b'"x": "M\xfcnchen"',
    b'"\xe9": 1',
    b'"x": "\\ud800"',
    b'"x": "\\u0000"',
    b'"x": "a\nb\x00"',
    b'"x": ' + b"[" * 200 + b"]" * 200,
)
_ODD: Final = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"18446744073709551616",
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\xff"',
    b"\xef\xbb\xbf{}",
    b"{}{}",
    b"\x00",
    json.dumps({str(n): n for n in range(500)}).encode(),
)


def _changed(case: Case, change: Callable[[str], str]) -> Sent:
    """Change one header; a scheme without any has one in its body."""
    sent = case.signed()
    if not sent.headers:
        return replace(sent, body=_resigned(sent.body, change))
    place = case.dice.randrange(len(sent.headers))
    name, value = sent.headers[place]
    headers = [*sent.headers]
    headers[place] = (name, change(value))
    return replace(sent, headers=headers)


def _resigned(body: bytes, change: Callable[[str], str]) -> bytes:
    tree = json.loads(body)
    more = tree["notificationItems"][0]["NotificationRequestItem"]["additionalData"]
    more["hmacSignature"] = change(more["hmacSignature"])
    return json.dumps(tree).encode()


def _flipped(dice: Random, data: bytes) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _inserted(dice: Random, text: str, more: str) -> str:
    place = dice.choice([0, len(text), dice.randrange(len(text) + 1)])
    return text[:place] + more + text[place:]


def _noise(dice: Random) -> str:
    return _latin(dice.randbytes(dice.choice([0, 1, 8, 64, 400])))


def _latin(data: bytes) -> str:
    return data.decode("latin-1")
