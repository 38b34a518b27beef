"""What must not be seen goes into every input, and is looked for in all that comes out.

The copy of a dead letter on NATS is left out: it is the message, kept for its replay.
"""

import asyncio
import base64
import hashlib
import hmac
import signal
import time
from contextlib import asynccontextmanager
from urllib.parse import quote

import aiohttp
import nats
import orjson
import pytest
from aiohttp import web

from providers.testing.simulator import SimulatedProvider, Simulator
from providers.testing.simulator.core import SimulatedCore
from tests.cli.stage import SECONDS_MAX, SECRET, TABLE, TOKEN
from tests.cli.test_run import ready, started

__all__ = ["ready"]
pytestmark = pytest.mark.timeout(300)

CARDS = (
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111.1111-1111/1111",
    "4111\u200b1111\u00a01111\u20091111",
    "\u0664\u0661\u0661\u0661" + "\u0661" * 12,
    "\uff14" + "\uff11" * 15,
    "5555-5555-5555-4444",
)
DESTINATION = "tok_sim:succeed#destination-canary"
PASSWORD = "password-canary-7"
HEADER = "header-canary-4f2a91c3"
KEY = "api-key-canary-91"
ROLES = ("upstream", "support", "viewer", "admin")
SEEN = {*CARDS, DESTINATION, PASSWORD, HEADER, KEY, TOKEN, SECRET, SECRET[6:]}


def a_withdrawal(**changes):
    return {
        "order_id": "w-1",
        "merchant_id": "m-1",
        "customer_id": "c-1",
        "amount": 12550,
        "currency": "EUR",
        "destination": {"type": "card", "token": DESTINATION},
        "cascade": [{"provider": "acme"}],
        **changes,
    }


def bad_withdrawals():
    """Give requests with a canary in each place in turn; none can be accepted."""
    for card in CARDS:
        for name in ("order_id", "merchant_id", "customer_id", "currency", "amount"):
            yield a_withdrawal(**{name: card})
        yield a_withdrawal(metadata={"note": f"of {card}", card: 1})
        yield a_withdrawal(cascade=[{"provider": "acme", "terminal_id": card}])
        yield a_withdrawal(cascade=[{"provider": card, "sla": card}])
        yield a_withdrawal(destination={"type": card, "token": card})
    yield a_withdrawal(amount=0, password=PASSWORD, note={"apiKey": PASSWORD})
    yield a_withdrawal(amount=0, text=f'{{"secret": "{PASSWORD}"}} {TOKEN} {SECRET}')
    yield a_withdrawal(amount=0, destination=DESTINATION)


def signed(body, event_id):
    at = str(int(time.time()))
    content = f"{event_id}.{at}.".encode() + body
    mac = hmac.digest(base64.b64decode(SECRET[6:]), content, "sha256")
    return {
        "webhook-id": event_id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/json",
    }


class Out:
    """All that came out, by where it did."""

    def __init__(self):
        self.said = []

    def heard(self, where, text):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        self.said.append((where, text))

    def leaks(self):
        found = [
            (where, text, s) for where, text in self.said for s in SEEN if s in text
        ]
        return [
            (where, seen, text[max(0, text.index(seen) - 90) :][:200])
            for where, text, seen in found
        ]


@asynccontextmanager
async def collecting(out):
    """Take the traces of the service, as a collector would."""

    async def taken(request):
        out.heard("trace", await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", taken)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(ready, out):
    """Run the service among its neighbours; give what reaches it from outside."""
    core = SimulatedCore(token=TOKEN)
    simulator = Simulator(
        [SimulatedProvider(name="acme", secrets=(SECRET,))], scale=0.002
    )
    await core.start("127.0.0.1", 0)
    await simulator.start("127.0.0.1", 0)
    table = TABLE.format(name="acme", url=simulator.base_url("acme"))
    table += 'headers = { X-Api-Key = "${HEADER_OF_PROVIDERS}" }\n'
    (ready.folder / "payment.toml").write_text(table)
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    ready.env |= {
        "PAYMENT_CORE_URL": core.url,
        "HEADER_OF_PROVIDERS": HEADER,
        "PAYMENT_API_KEYS": f"me:admin:{digest}",
        "PAYMENT_TRACE_SAMPLE": "1",
        "PAYMENT_LOG_LEVEL": "debug",
        f"PAYMENT_{PASSWORD.upper().replace('-', '_')}": CARDS[0],
    }
    async with collecting(out) as endpoint:
        process = ready.start("run", PAYMENT_OTLP_ENDPOINT=endpoint)
        try:
            port, log = await asyncio.to_thread(started, process)
            out.heard("log", log)
            yield f"http://127.0.0.1:{port}", core
        finally:
            process.send_signal(signal.SIGTERM)
            told, err = await asyncio.to_thread(process.communicate, None, SECONDS_MAX)
            out.heard("log", told + err)
            await simulator.stop()
            await core.stop()


async def over_http(url, out):
    own = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as http:

        async def call(method, path, **about):
            async with http.request(method, url + path, **about) as answer:
                out.heard(f"{method} answer", await answer.read())
                out.heard("headers", str(answer.headers))

        for body in bad_withdrawals():
            await call("POST", "/v1/withdrawals", json=body, headers=own)
        for card in CARDS:
            place = quote(card, safe="")
            strange = own | {"traceparent": card.encode("ascii", "replace").decode()}
            for path in (
                *(f"/v1/orders/{place}", f"/v1/{place}", f"/webhooks/{place}"),
                *(f"/v1/orders?customer_id={place}", f"/v1/orders?cursor={place}"),
                f"/v1/tasks/{place}/cancel?token={PASSWORD}",
            ):
                await call("GET", path, headers=strange)
                await call("POST", path, headers=strange, json={"reason": card})
            wish = {"reason": f"paid by {card}", "decision": "positive"}
            await call("POST", "/v1/orders/w-1/cancel", headers=own, json=wish)
            said = {
                "type": "payout.failed",
                "reference": card,
                "provider_reference": card,
                "code": card,
                "message": f"{card} {PASSWORD} {TOKEN}".replace(
                    PASSWORD, f"pwd={PASSWORD}"
                ),
                card: 1,
            }
            body = orjson.dumps(said)
            sent = signed(body, card.encode("ascii", "replace").decode())
            await call("POST", "/webhooks/acme", data=body, headers=sent)
            await call("POST", "/webhooks/acme", data=body, headers={"X-Token": KEY})
        for path in (
            *("/v1/orders", "/v1/orders/w-1", "/v1/orders/w-1/events", "/metrics"),
            *("/v1/dead-letters", "/v1/cases", "/v1/providers", "/readyz"),
        ):
            await call("GET", path, headers=own)


async def over_nats(url, prefix, out):
    client = await nats.connect(url)
    stream, inbox = client.jetstream(), client.new_inbox()
    enough = asyncio.Event()

    async def heard(message):
        out.heard("NATS", message.data + str(message.headers).encode())
        if b"honest" in message.data and b"COMPLETED" in message.data.upper():
            enough.set()

    await client.subscribe(f"{prefix}.order.event.>", cb=heard)
    await client.subscribe(inbox, cb=heard)
    for number, body in enumerate(bad_withdrawals()):
        headers = {"X-Reply-To": inbox, "X-Note": CARDS[1], "authorization": PASSWORD}
        data = orjson.dumps(body)
        # Every third is cut off: what cannot be read is not shown either.
        data = data if number % 3 else data[:-1]
        await stream.publish(f"{prefix}.withdrawal.requested", data, headers=headers)
    for card in CARDS[:1]:
        wakeup = orjson.dumps({"task_id": card, "queue_id": card, "order_id": card})
        await stream.publish(f"{prefix}.order.task.step.due", wakeup)
    honest = orjson.dumps(a_withdrawal(order_id="honest"))
    await stream.publish(f"{prefix}.withdrawal.requested", honest)
    async with asyncio.timeout(SECONDS_MAX):
        await enough.wait()
    await client.close()


async def by_hand(ready, out):
    """Look at everything from a terminal."""

    async def command(*args):
        answer = await asyncio.to_thread(ready, *args)
        out.heard(" ".join(args[:2]), answer.out + answer.err)
        return answer

    letters = (await command("dlq", "list", "--json")).json["dead_letters"]
    assert len(letters) > len(CARDS)
    for letter in (letters[0], letters[-1]):
        await command("dlq", "show", letter["id"], "--json")
    await command("dlq", "show", letters[1]["id"])
    await command("order", "show", "honest")
    await command("order", "show", "honest", "--json")
    await command("order", "show", CARDS[0])
    await command("doctor")


@pytest.mark.attack(
    "role",
    "What was put into every input comes out of no log, view, letter, export or error",
)
async def test_no_canary_comes_out_anywhere(ready, nats_server):
    out = Out()
    prefix = ready.env["PAYMENT_SUBJECT_PREFIX"]
    async with running(ready, out) as (url, _):
        await over_nats(nats_server.url, prefix, out)
        await over_http(url, out)
        await by_hand(ready, out)

    assert {"log", "trace", "NATS", "dlq show", "doctor"} <= {w for w, _ in out.said}
    assert out.leaks() == []
