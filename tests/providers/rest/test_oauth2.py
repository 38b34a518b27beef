"""OAuth2 tokens over real sockets: fetched once, kept, renewed, and never shown."""

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager

import orjson
import pytest

from fsm.domain.masking import KNOWN, masked_text
from fsm.domain.money import Money
from handlers.pace import limited
from handlers.ports.provider import Accepted, NotSent, Payout, Unclear
from providers.config import ConfigError, ProviderTable
from providers.config.file import parse_config
from providers.config.oauth2 import OAuth2Auth
from providers.http.outbound import Outbound, RequestNotSent
from providers.rest import RestProvider
from providers.rest.tokens import BearerToken, TokenSource
from providers.testing.conformance.fake_server import (
    Counterpart,
    reset_after_request,
    saying,
    silence,
    taking_turns,
)
from providers.testing.conformance.made_up_secrets import ACK_WAIT
from providers.testing.conformance.runner import Candidate
from providers.testing.conformance.scenarios import SCENARIOS
from providers.testing.conformance.token_desk import TOKEN, TokenDesk
from providers.testing.conformance.vocabulary import Reply

SECRET = "se:cret/+8f2a91"
TAKEN = Reply(status=200, body=orjson.dumps({"state": "new"}))
REFUSED = Reply(status=401, body=b'{"state": "no"}')
PAYOUT = Payout(
    reference="018f0000-0000-7000-8000-000000000001",
    money=Money(12550, "EUR"),
    destination={"type": "card", "token": "tok_8f2a"},
    terminal_id=None,
)
FORM = {
    "adapter": "rest",
    "base_url": "https://acme.example",
    "create": {
        "path": "/pay",
        "body": {
            "ref": "{reference}",
            "sum": "{amount}",
            "cur": "{currency}",
            "to": "{destination}",
        },
    },
    "status": {"path": "/pay/{reference}"},
    "answers": {
        "status_at": "state",
        "status_map": {"new": "accepted", "paid": "succeeded", "no": "unclear"},
    },
}


def credentials(url="https://acme.example/token", **more):
    told = {"client_id": "an id", "client_secret": SECRET, "token_url": url}
    return OAuth2Auth.model_validate(told | more)


class World:
    """A provider, its token endpoint, and the adapter between them."""

    def __init__(self, api, desk_server, outbound, **more):
        self.api, self.tokens = api, desk_server
        auth = credentials(f"{desk_server.url}/token", **more)
        self.desk = TokenDesk(auth)
        self.tokens.receive_by(self.desk.manner)
        self.api.receive_by(saying(TAKEN))
        told = {"name": "acme", **FORM, "base_url": api.url, "timeout": "2s"}
        table = ProviderTable.model_validate(told | {"auth": {"oauth2": auth}})
        self.provider = RestProvider(
            table, outbound, base_url=api.url, callback_url=None
        )
        self.lane = outbound.lane(9)
        self.auth = auth

    def carried(self):
        return [heard.headers.get("authorization") for heard in self.api.heard]


@asynccontextmanager
async def world(**more):
    async with AsyncExitStack() as opened:
        api = await opened.enter_async_context(Counterpart())
        tokens = await opened.enter_async_context(Counterpart())
        outbound = await opened.enter_async_context(Outbound())
        yield World(api, tokens, outbound, **more)


async def token_of(source):
    token = await source.get(2)
    assert isinstance(token, BearerToken)
    return token


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("client_auth", ["basic", "body"])
async def test_one_token_serves_all_who_ask_at_once(client_auth):
    more = {"scope": "payouts pay", "parameters": {"audience": "a&b"}}
    async with world(client_auth=client_auth, **more) as here:
        answers = await asyncio.gather(*(here.provider.create(PAYOUT) for _ in "abcde"))

        assert all(isinstance(answer, Accepted) for answer in answers)
        assert here.carried() == [f"Bearer {TOKEN}1"] * 5
        assert (here.desk.given, here.desk.wrong) == (1, [])


async def test_who_waits_for_a_token_keeps_nobody_from_fetching_it():
    async with world() as here:
        create = limited(here.provider.create, 2)
        answers = await asyncio.gather(*(create(PAYOUT) for _ in range(8)))

        assert all(isinstance(answer, Accepted) for answer in answers)
        assert here.desk.given == 1


async def test_who_gives_up_waiting_does_not_end_it_for_others():
    async with world() as here:
        first = asyncio.create_task(here.provider.create(PAYOUT))
        second = asyncio.create_task(here.provider.create(PAYOUT))
        await asyncio.sleep(0)
        first.cancel()

        assert isinstance(await second, Accepted)
        assert here.desk.given == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(status=400, body=b'{"error": "invalid_client"}'),
        Reply(status=200, body=b"<html>"),
        Reply(status=200, body=b"{}"),
        Reply(status=200, body=b'{"access_token": ""}'),
        Reply(status=200, body=b'{"access_token": "a b"}'),
        Reply(status=200, body=b'{"access_token": "a\\r\\nX: y"}'),
        Reply(status=200, body=b'{"access_token": 7}'),
        Reply(status=200, body=b'{"access_token": "abc", "expires_in": 0}'),
        Reply(status=200, body=b'{"access_token": "abc", "token_type": "mac"}'),
    ],
)
async def test_without_a_token_nothing_was_sent(reply):
    async with world() as here:
        here.tokens.receive_by(saying(reply))

        created = await here.provider.create(PAYOUT)
        asked = await here.provider.status(PAYOUT)

        assert isinstance(created, NotSent)
        assert not created.ours
        assert isinstance(asked, NotSent)
        assert not here.api.touched
        # The second did not ask again: a flood of orders is no flood of these.
        assert len(here.tokens.heard) == 1


@pytest.mark.parametrize("manner", [silence, reset_after_request])
async def test_a_token_endpoint_that_says_nothing_sends_nothing(manner):
    async with world() as here:
        here.tokens.receive_by(manner)

        assert isinstance(await here.provider.create(PAYOUT), NotSent)
        assert not here.api.touched


async def test_a_create_with_a_refused_token_is_no_no_and_is_sent_once():
    async with world() as here:
        here.api.receive_by(saying(REFUSED))
        answer = await here.provider.create(PAYOUT)
        await here.provider.create(PAYOUT)

        assert isinstance(answer, Unclear)
        assert here.carried() == [f"Bearer {TOKEN}1", f"Bearer {TOKEN}2"]


async def test_a_question_is_asked_once_more_with_a_new_token():
    async with world() as here:
        here.api.receive_by(taking_turns(saying(REFUSED), saying(TAKEN)))
        assert isinstance(await here.provider.status(PAYOUT), Accepted)
        assert here.carried() == [f"Bearer {TOKEN}1", f"Bearer {TOKEN}2"]

        here.api.receive_by(saying(REFUSED))
        assert isinstance(await here.provider.status(PAYOUT), Unclear)
        assert len(here.carried()) == 2


async def test_a_late_refusal_of_the_old_token_leaves_the_new_one():
    async with world() as here:
        source = TokenSource(here.auth, here.lane, seconds=2)
        old = await token_of(source)
        source.drop(old)
        new = await token_of(source)
        source.drop(old)

        assert await source.get(2) is new


async def test_it_is_renewed_before_its_end_and_kept_where_that_fails():
    async with world(early="10m") as here:
        clock = Clock()
        source = TokenSource(here.auth, here.lane, seconds=2, clock=clock)
        first = await source.get(2)
        clock.now += 2999
        assert await source.get(2) is first

        clock.now += 1
        here.desk.away = True
        assert await source.get(2) is first
        clock.now += 600
        assert isinstance(await source.get(2), RequestNotSent)

        here.desk.away = False
        clock.now += 1
        second = await source.get(2)
        assert isinstance(second, BearerToken)
        assert second.text == f"{TOKEN}2"


async def test_a_token_of_a_short_life_is_used_for_half_of_it():
    async with world(early="1h") as here:
        body = b'{"access_token": "short-lived-token", "expires_in": "60"}'
        here.tokens.receive_by(saying(Reply(status=200, body=body)))
        clock = Clock()
        source = TokenSource(here.auth, here.lane, seconds=2, clock=clock)
        first = await source.get(2)
        clock.now += 29
        assert await source.get(2) is first
        clock.now += 2
        assert await source.get(2) is not first


async def test_a_token_shows_nowhere(caplog):
    caplog.set_level(logging.DEBUG)
    async with world() as here:
        said = orjson.dumps({"state": "no", "message": f"bad {TOKEN}1"})
        here.api.receive_by(saying(Reply(status=400, body=said)))
        answer = await here.provider.create(PAYOUT)
        source = TokenSource(here.auth, here.lane, seconds=2)
        token = await token_of(source)

        shown = f"{answer!r} {token!r} {here.auth!r} {here.provider!r} {caplog.text}"
        assert TOKEN not in shown
        assert SECRET not in shown
        assert TOKEN not in masked_text(f"it wrote {token.text} back")


async def test_the_masking_forgets_tokens_that_were_renewed():
    async with world() as here:
        source = TokenSource(here.auth, here.lane, seconds=2)
        for _ in range(3):
            source.drop(await token_of(source))

        assert f"{TOKEN}3" in KNOWN
        assert f"{TOKEN}1" not in KNOWN


def refused(auth=None, **changes):
    told = {"client_id": "a", "client_secret": "b", "token_url": "https://a.example/t"}
    auth = "\n".join(f"{n} = {v!r}" for n, v in (told | (auth or {})).items())
    form = {"adapter": "rest", "base_url": "https://a.example"} | changes
    text = "[providers.a]\n" + "\n".join(f"{n} = {v!r}" for n, v in form.items())
    text += f"\n[providers.a.auth.oauth2]\n{auth}\n" + WIRE
    with pytest.raises(ConfigError) as error:
        parse_config(text, ack_wait=ACK_WAIT, environment={})
    return str(error.value)


OF_TOKENS = [s for s in SCENARIOS if s.name.startswith(("token-", "status-err"))]
WIRE = """
[providers.a.create]
path = "/p"
body = { r = "{reference}", a = "{amount}", c = "{currency}", d = "{destination}" }
[providers.a.status]
path = "/p/{reference}"
[providers.a.answers]
status_at = "s"
status_map = { y = "succeeded" }
error_map = [ { http = [401], means = "declined" } ]
"""


def test_what_would_give_the_secret_away_is_refused():
    auth = {"token_url": "http://a.example/t", "client_secret": ""}
    told = refused(auth | {"parameters.scope": "x"}, **{"auth.bearer.token": "t"})

    for problem in (
        "auth: must have one of",
        "auth.oauth2.client_secret: must not be empty",
        "auth.oauth2.token_url: must be https, as base_url is",
        "auth.oauth2.parameters.scope: has a key of its own",
        "answers.error_map[0].http: 401 must not mean declined beside oauth2",
    ):
        assert problem in told


@pytest.mark.parametrize("client_auth", ["basic", "body"])
@pytest.mark.parametrize("scenario", OF_TOKENS, ids=str)
async def test_the_kit_plays_the_token_endpoint(scenario, client_auth):
    told = {"client_id": "${ID}", "client_secret": "${S}", "client_auth": client_auth}
    raw = FORM | {"auth": {"oauth2": told | {"token_url": "https://a.example/t"}}}

    outcome = await Candidate("acme", raw).play(scenario)

    assert outcome.wrong == ()
    assert outcome.not_here is None
