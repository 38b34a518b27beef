"""What an adapter lets through as a webhook, and what it reads in one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import orjson

from fsm.domain.odd import Odd
from fsm.domain.webhook_events import UNREADABLE, WebhookEvent, WebhookEventType
from providers.config.places import WHOLE
from providers.events import EventFields, Events, events_of
from providers.port import Rejected, Verified
from providers.signatures import BARE, UNCOVERED
from providers.testing.conformance.harness import NOW, NotHere, Stage
from providers.testing.conformance.response_writer import put
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.signing import SignedWebhook, Signer
from providers.testing.conformance.vocabulary import Deal

SCENES: Final = Scenes[Stage]()
# Longer than any tolerance that the configuration allows.
TOO_FAR: Final = timedelta(hours=2)
AMOUNTS: Final = frozenset({"12550", "125.5", "125.50"})
NO_AMOUNTS: Final = ("12,50", -12550, 2**70, Odd("is there twice"))
STRANGE: Final = (b"", b"{}", b"[]", b"null", b"\xff" * 64, b"[" * 100_000, b"{" * 64)


@SCENES.scene(
    "webhook-genuine", "A webhook that is signed with any of our secrets is let in."
)
async def genuine(stage: Stage) -> None:
    _signer(stage)
    for number, secret in enumerate(stage.rehearsal.secrets, 1):
        delivery = _delivery(stage, secret=secret)
        verdict = _verdict(stage, delivery, "a genuine one")
        case = f"signed with secret {number} of {len(stage.rehearsal.secrets)}"
        stage.be(verdict, [Verified], case)


@SCENES.scene(
    "webhook-forged", "A webhook that is signed by a stranger, or not, stays out."
)
async def forged(stage: Stage) -> None:
    delivery = _delivery(stage, secret=stage.rehearsal.stranger)
    _must_stay_out(stage, delivery, "signed with another secret")
    genuine = _delivery(stage)
    for name in genuine.signed:
        less = {n: v for n, v in genuine.headers.items() if n != name}
        _must_stay_out(stage, _with(genuine, headers=less), f"without {name}")
        twice = {n: [v] for n, v in genuine.headers.items()}
        twice[name] = [genuine.headers[name], genuine.headers[name]]
        verdict = stage.provider.verify(twice, genuine.body, NOW)
        stage.be(verdict, [Rejected], f"with {name} twice")


@SCENES.scene(
    "webhook-changed", "A webhook in which any one byte is another stays out."
)
async def changed(stage: Stage) -> None:
    genuine = _delivery(stage)
    for at, body in _flipped(genuine.body) if _signs_bodies(stage) else ():
        _must_stay_out(
            stage, _with(genuine, body=body), f"byte {at} of the body changed"
        )
    for name in genuine.signed:
        for at, value in _flipped(genuine.headers[name].encode("ascii")):
            headers = {**genuine.headers, name: value.decode("latin-1")}
            case = f"byte {at} of {name} changed"
            _must_stay_out(stage, _with(genuine, headers=headers), case)


@SCENES.scene("webhook-old", "A webhook of long ago, or of later, stays out.")
async def old(stage: Stage) -> None:
    signer = _signer(stage)
    if not signer.form.timed:
        raise NotHere("its signature says nothing of the time")
    for label, at in (("old", NOW - TOO_FAR), ("of later", NOW + TOO_FAR)):
        body = _listed(stage, [_some_body(stage)])
        delivery = signer.deliver(
            body, secret=stage.rehearsal.secrets[0], at=at, event_id=stage.deal.event_id
        )
        _must_stay_out(stage, delivery, f"one that is {TOO_FAR} {label}")


@SCENES.scene(
    "webhook-meaning", "Each word of a webhook means what the pages say it does."
)
async def meaning(stage: Stage) -> None:
    _signer(stage)
    read = 0
    for kind in WebhookEventType:
        if kind is not WebhookEventType.UNKNOWN:
            for word, body in stage.double.notices(kind, stage.deal).items():
                read += 1
                _must_mean(stage, kind, word, body)
    stage.must(read, "no word of a webhook is known")


@SCENES.scene(
    "webhook-unlisted", "A webhook of an unknown type is kept, and settles nothing."
)
async def unlisted(stage: Stage) -> None:
    _signer(stage)
    bodies = stage.double.notices(WebhookEventType.UNKNOWN, stage.deal)
    if not bodies:
        raise NotHere("its double knows no type that nobody has listed")
    for word, body in bodies.items():
        _must_mean(stage, WebhookEventType.UNKNOWN, word, body)


@SCENES.scene(
    "webhook-unreadable-money",
    "Money that cannot be read in a definite webhook is told, and never ignored.",
)
async def unreadable_money(stage: Stage) -> None:
    _signer(stage)
    spoilt = 0
    for kind in (WebhookEventType.SUCCEEDED, WebhookEventType.FAILED):
        for word, body in stage.double.notices(kind, stage.deal).items():
            whole: dict[str, object] = orjson.loads(body)
            genuine = _webhook(stage, whole, word)
            if genuine is None or genuine.amount is None:
                continue
            spoilt += 1
            for said in NO_AMOUNTS:
                webhook = _webhook(stage, _respelt(whole, said), f"{word} of {said!r}")
                told = webhook is not None and (
                    webhook.type is kind and webhook.detail.get(UNREADABLE)
                )
                case = f"{word} with the amount {said!r}: it means {webhook}"
                stage.must(told, f"{case}, must say that it cannot be read")
    if not spoilt:
        raise NotHere("its webhooks say no amount")


@SCENES.scene(
    "webhook-events",
    "What comes after a success is another event, and what comes again is the same.",
)
async def events(stage: Stage) -> None:
    _signer(stage)
    deals = [stage.deal, _next_event(stage)]
    bodies = [
        body
        for kind, deal in zip(
            (WebhookEventType.SUCCEEDED, _after_success(stage)), deals, strict=True
        )
        for body in list(stage.double.notices(kind, deal).values())[:1]
    ]
    if len(bodies) < len(deals):
        raise NotHere("its double knows no success, or nothing after one")
    first = _named(stage, bodies[:1], deals[0])
    second = _named(stage, bodies[1:], deals[1])
    again = _named(stage, bodies[:1], deals[0])
    stage.must(first != second, f"a success and what came after it are both {first}")
    stage.must(first == again, f"a success sent again is {again}, and was {first}")
    if _events(stage).at is not None:
        both = _named(stage, bodies, deals[0])
        stage.must(both == first + second, f"of both in one request it reads {both}")


@SCENES.scene("webhook-strange", "No webhook makes the adapter raise, however strange.")
async def strange(stage: Stage) -> None:
    genuine = _delivery(stage)
    for body in STRANGE:
        case = f"a body of {len(body)} strange bytes"
        verdict = _verdict(stage, _with(genuine, body=body), case)
        if _signs_bodies(stage):
            stage.be(verdict, [Rejected], case)
    for told in _strange_objects(_some_body(stage)):
        try:
            webhook = stage.provider.read_webhook("evt-1", told, NOW)
        except Exception as error:  # noqa: BLE001 - whatever an adapter may raise
            stage.blame(f"an object that is not as it should be: it raised {error!r}")
        else:
            settles = webhook is not None and webhook.reference != stage.deal.reference
            stage.must(not settles, f"{told}: it is read as one about {webhook}")


def _webhook(
    stage: Stage, body: Mapping[str, object], case: str
) -> WebhookEvent | None:
    try:
        return stage.provider.read_webhook(stage.deal.event_id, body, NOW)
    except Exception as error:  # noqa: BLE001 - whatever an adapter may raise
        stage.blame(f"{case}: it raised {error!r}")
        return None


def _respelt(node: Mapping[str, object], said: object) -> dict[str, object]:
    """Return the body with other words wherever it says the amount."""

    def respelt(value: object) -> object:
        if isinstance(value, Mapping):
            return _respelt(value, said)
        if isinstance(value, list):
            return [respelt(each) for each in value]
        return said if str(value) in AMOUNTS else value

    return {name: respelt(value) for name, value in node.items()}


def _must_mean(stage: Stage, kind: WebhookEventType, word: str, body: bytes) -> None:
    signer = _signer(stage)
    delivery = signer.deliver(
        _listed(stage, [body]),
        secret=stage.rehearsal.secrets[0],
        at=NOW,
        event_id=stage.deal.event_id,
    )
    verdict = _verdict(stage, delivery, word)
    if not isinstance(verdict, Verified):
        stage.be(verdict, [Verified], word)
        return
    (webhook,) = _told(stage, verdict, delivery)
    stage.be(webhook, [WebhookEvent], word)
    if webhook is None:
        return
    ours = stage.deal
    stage.must(
        webhook.type is kind, f"{word}: it means {webhook.type}, must mean {kind}"
    )
    stage.must(
        webhook.reference == ours.reference, f"{word}: it is about {webhook.reference}"
    )
    named = _events(stage).naming is not None or webhook.event_id == ours.event_id
    stage.must(named, f"{word}: its event is {webhook.event_id}")
    told = (webhook.amount, webhook.currency)
    fits = told in {(12550, "EUR"), (12550, None), (None, None), (None, "EUR")}
    stage.must(fits, f"{word}: it says {told}, and the provider 12550 EUR")


def _next_event(stage: Stage) -> Deal:
    """Return the payout at its next event; one without an id tells itself apart."""
    if _events(stage).naming is not None:
        return stage.deal
    return replace(stage.deal, event_id=f"{stage.deal.event_id}-next")


def _after_success(stage: Stage) -> WebhookEventType:
    returned = stage.double.notices(WebhookEventType.RETURNED, stage.deal)
    return WebhookEventType.RETURNED if returned else WebhookEventType.FAILED


def _named(stage: Stage, bodies: Sequence[bytes], deal: Deal) -> list[str | None]:
    """Return by what the events of one request are known."""
    delivery = _signer(stage).deliver(
        _listed(stage, bodies),
        secret=stage.rehearsal.secrets[0],
        at=NOW,
        event_id=deal.event_id,
    )
    verdict = _verdict(stage, delivery, "a genuine one")
    stage.be(verdict, [Verified], "a genuine one")
    if not isinstance(verdict, Verified):
        return []
    told = _told(stage, verdict, delivery)
    return [None if webhook is None else webhook.event_id for webhook in told]


def _events(stage: Stage) -> Events:
    return events_of(stage.rehearsal.table)


def _listed(stage: Stage, bodies: Sequence[bytes]) -> bytes:
    """Put events into one body, as the provider sends them."""
    place = _events(stage).at
    if place is None:
        return bodies[0]
    events = [orjson.loads(body) for body in bodies]
    whole: dict[str, object] = {}
    if place != WHOLE:
        put(whole, place, events)
    return orjson.dumps(events if place == WHOLE else whole)


def _told(
    stage: Stage, verdict: Verified, delivery: SignedWebhook
) -> Sequence[WebhookEvent | None]:
    """Read the events of a delivery as the service does."""
    headers = {name: [value] for name, value in delivery.headers.items()}
    told = _events(stage).of(verdict, headers, orjson.loads(delivery.body))
    return [_read(stage, one) for one in told]


def _read(stage: Stage, told: EventFields) -> WebhookEvent | None:
    if not isinstance(told.body, Mapping):
        return None
    webhook = stage.provider.read_webhook(told.event_id, told.body, NOW)
    return webhook or stage.provider.read_webhook(told.digest, told.body, NOW)


def _must_stay_out(stage: Stage, delivery: SignedWebhook, case: str) -> None:
    stage.be(_verdict(stage, delivery, case), [Rejected], case)


def _verdict(stage: Stage, delivery: SignedWebhook, case: str) -> object:
    headers = {name: [value] for name, value in delivery.headers.items()}
    try:
        return stage.provider.verify(headers, delivery.body, NOW)
    except Exception as error:  # noqa: BLE001 - whatever an adapter may raise
        stage.blame(f"{case}: it raised {error!r}")
        return None


def _delivery(stage: Stage, secret: str = "") -> SignedWebhook:
    return _signer(stage).deliver(
        _listed(stage, [_some_body(stage)]),
        secret=secret or stage.rehearsal.secrets[0],
        at=NOW,
        event_id=stage.deal.event_id,
    )


def _signer(stage: Stage) -> Signer:
    if not stage.provider.takes_webhooks:
        raise NotHere("it takes no webhooks")
    webhook = stage.rehearsal.table.webhook
    if stage.rehearsal.signer is None or webhook is None or webhook.scheme in UNCOVERED:
        raise NotHere("the kit cannot sign as this scheme does")
    return stage.rehearsal.signer


def _signs_bodies(stage: Stage) -> bool:
    """False for a bare token, which lets every body in."""
    webhook = stage.rehearsal.table.webhook
    return webhook is not None and webhook.scheme not in BARE


def _some_body(stage: Stage) -> bytes:
    for kind in WebhookEventType:
        for body in stage.double.notices(kind, stage.deal).values():
            return body
    raise NotHere("its double knows no webhook")


def _with(
    delivery: SignedWebhook,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> SignedWebhook:
    return SignedWebhook(
        headers=delivery.headers if headers is None else headers,
        body=delivery.body if body is None else body,
        signed=delivery.signed,
    )


def _flipped(data: bytes) -> Iterator[tuple[int, bytes]]:
    for at, byte in enumerate(data):
        yield at, data[:at] + bytes([byte ^ 1]) + data[at + 1 :]


def _strange_objects(body: bytes) -> Iterator[dict[str, object]]:
    whole: dict[str, object] = orjson.loads(body)
    yield {}
    yield dict.fromkeys(whole)
    yield {name: [] for name in whole}
    yield {name: {"": value} for name, value in whole.items()}
