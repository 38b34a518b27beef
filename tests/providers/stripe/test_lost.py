"""Answers of Stripe's that never came: the key and the list say what became of them.

Played here, since localstripe has no idempotency keys.
"""

from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web

from providers.config import parse_config
from tests.providers.rest.test_declared_whole import _running
from tests.providers.stripe.recorded import VERSION, a_payout, an_error
from tests.service.stage import a_withdrawal

TABLE = """
[providers.stripe]
adapter = "stripe"
base_url = "{url}"
auth.bearer = {{ token = "sk_test_0123" }}
timeout = "1s"
idempotent_create = true
key_lifetime = "23h"
not_found_grace = "1s"
recheck = {{ first = "100ms", max = "300ms", attempts = 20 }}
stripe = {{ version = "{version}" }}
"""


class Played:
    """Stripe as its documentation has it, with one fault at the first create."""

    def __init__(self, fault):
        self.fault = fault
        self.saved = {}
        self.book = []
        self.keys = []

    async def create(self, request):
        asked = dict(await request.post())
        key = request.headers["Idempotency-Key"]
        self.keys.append(key)
        fault = self.fault if len(self.keys) == 1 else None
        if fault == "never_arrived":
            return request.transport.abort()
        if fault == "at_work":
            self.pay(key, asked)
            error = an_error("invalid_request_error", "idempotency_key_in_use")
            return web.json_response(error, status=409)
        if key not in self.saved:
            self.pay(key, asked)
        if fault == "answer_lost":
            return request.transport.abort()
        form, made = self.saved[key]
        if form != asked:
            return web.json_response(an_error("idempotency_error"), status=400)
        return web.json_response(made)

    def pay(self, key, asked):
        made = a_payout(
            id=f"po_{len(self.book)}",
            status="paid",
            amount=int(asked["amount"]),
            currency=asked["currency"],
            destination=asked["destination"],
            metadata={"reference": asked["metadata[reference]"]},
        )
        self.saved[key] = (asked, made)
        self.book.append(made)

    async def list(self, request):
        to = request.query["destination"]
        found = [made for made in self.book if made["destination"] == to]
        return web.json_response({"object": "list", "data": found, "has_more": False})

    @asynccontextmanager
    async def served(self):
        app = web.Application()
        app.router.add_post("/v1/payouts", self.create)
        app.router.add_get("/v1/payouts", self.list)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@pytest.mark.parametrize(
    ("fault", "creates"), [("answer_lost", 1), ("never_arrived", 2), ("at_work", 1)]
)
async def test_it_is_paid_once(
    fault, creates, database_url, nats_server, subject_prefix
):
    played = Played(fault)
    async with played.served() as url:
        text = TABLE.format(url=url, version=VERSION)
        config = parse_config(text, ack_wait=timedelta(seconds=30), environment={})
        where = (database_url, nats_server.url, subject_prefix)
        async with _running(*where, config) as stage:
            await stage.ask(
                a_withdrawal(
                    destination={"type": "bank", "token": "ba_1"},
                    cascade=[{"provider": "stripe"}],
                )
            )
            order = await stage.final("w-1")

    assert order["state"] == "COMPLETED"
    assert len(played.book) == 1
    assert played.keys == [order["tasks"][0]["task_id"]] * creates
    assert stage.core.holds() == {}
