"""Whom NATS lets in without credentials, and what our own user may beyond its need."""

import pytest

from payment_service.bus import Access, beyond_need, connect, takes_anybody
from tests.bus.servers import account, serving
from tests.bus.stage import forget
from tests.bus.test_rights import NAMES, RIGHTS, may

OPEN = "jetstream { store_dir: STORE }"
GUEST = (
    account().replace(
        "users: [\n",
        'users: [ { user: guest, password: g, permissions: { publish: "x" } }\n',
        1,
    )
    + "\nno_auth_user: guest"
)


@pytest.mark.parametrize(
    ("configuration", "taken"),
    [(OPEN, True), (GUEST, True), (account(), False)],
    ids=["nobody is asked", "a guest is let in", "everybody is asked"],
)
async def test_a_stranger_is_let_in_where_nobody_is_asked(configuration, taken):
    with serving(configuration) as server:
        url = server.url_of("svc:pw")

        assert await takes_anybody([url], Access()) is taken


async def test_one_open_server_of_several_is_enough():
    with serving(account()) as closed, serving(OPEN) as opened:
        urls = [closed.url_of("svc:pw"), "nats://127.0.0.1:1", opened.url]

        assert await takes_anybody(urls, Access())


async def test_a_server_that_is_away_takes_nobody():
    assert not await takes_anybody(["nats://127.0.0.1:1"], Access())


async def test_a_user_with_the_printed_rights_may_do_no_more():
    rights = RIGHTS["publish"] + RIGHTS["make"]
    limited = may(rights).replace('"pay.>"', '"pay.order.event.>"')
    with serving(account(limited)) as server:
        assert await excess(server) == []


async def test_what_a_user_may_do_beyond_its_need_is_named():
    with serving(account()) as server:
        assert await excess(server) == [
            "publish on any subject",
            "listen to any subject",
            "delete streams",
        ]


async def excess(server):
    wire = await connect([server.url_of("svc:pw")], name="t", on_closed=forget)
    try:
        return await beyond_need(wire, NAMES)
    finally:
        await wire.close()
