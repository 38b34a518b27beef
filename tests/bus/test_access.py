"""Who we are to NATS, and whom we believe that we have reached it."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest

from fsm.domain.errors import BusUnavailable
from payment_service.bus import (
    Access,
    JetStreamApi,
    JetStreamPublisher,
    Names,
    PermissionRefused,
    connect,
    ensure,
    wanted,
)
from payment_service.bus.nkeys import BadSeed, Nkey
from payment_service.playground.embedded.process import free_port
from tests.bus.certificates import DAY, an_authority
from tests.bus.servers import account, serving
from tests.bus.stage import (
    ACK_WAIT,
    SOON,
    Stage,
    a_message,
    forget,
    is_empty,
    soon,
    until,
)

ODD = "p@ss/w#rd:%41,ü"
# A user's seed and public key, made by the `nk` tool's own algorithm.
SEED = "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
QUICK: Any = {"name": "test", "on_closed": forget, "seconds_max": 3.0}
TLS = "tls {{ cert_file: {0}, key_file: {1}, timeout: 2 {2} }}"


@asynccontextmanager
async def connected(url, **access):
    wire = await connect([url], access=Access(**access), **QUICK)
    try:
        yield wire
    finally:
        await wire.close()


async def refused(url, **access):
    """Return why there is no connection."""
    with pytest.raises(BusUnavailable) as caught:
        async with connected(url, **access):
            pass
    return str(caught.value)


async def test_what_is_special_in_a_password_is_percent_encoded():
    with serving(account(password=ODD)) as server:
        async with connected(server.url_of(f"svc:{quote(ODD, safe='')}")) as wire:
            assert await JetStreamApi(wire).call("INFO")


async def test_a_token_may_stand_in_the_address():
    with serving('authorization { token: "s3cr/et" }') as server:
        async with connected(server.url_of("s3cr%2Fet")) as wire:
            await wire.round_trip(SOON)


async def test_each_address_has_its_own_credentials():
    wrong, right = account(password="other"), account()
    with serving(wrong) as first, serving(right) as second:
        first.stop()
        urls = [first.url_of("svc:other"), second.url_of("svc:pw")]
        wire = await connect(urls, name="test", on_closed=forget)
        second.stop()
        first.start()

        await until(lambda: answers(wire))
        await wire.close()


async def answers(wire):
    if not wire.is_connected:
        return False
    try:
        await wire.round_trip(1.0)
    except BusUnavailable:
        return False
    return True


async def test_a_server_that_another_told_of_is_given_the_same_credentials():
    with serving(account()) as first, serving(account()) as second:
        async with connected(first.url_of("svc:pw")) as wire:
            await wire._process_info({"connect_urls": [f"127.0.0.1:{second.port}"]})
            first.kill()

            await until(lambda: answers(wire))
            assert wire._current_server.discovered


async def test_who_is_refused_is_told_so_and_no_secret():
    with serving(account()) as server:
        said = await refused(server.url_of("svc:wr0ng"))

    assert "authorization violation" in said.lower()
    assert "wr0ng" not in said


async def test_a_user_may_have_an_nkey(tmp_path):
    file = tmp_path / "user.nk"
    file.write_text(f"{SEED}\n")
    users = f"authorization {{ users: [ {{ nkey: {Nkey(SEED).public} }} ] }}"
    with serving(users) as server:
        async with connected(server.url, nkey=file) as wire:
            await wire.round_trip(SOON)


@pytest.mark.parametrize("seed", ["", "SUA", SEED[:-1], SEED[:-2] + "AA", "ü" * 58])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(BadSeed):
        Nkey(seed)


async def test_a_file_that_is_none_of_credentials_is_named(tmp_path):
    file = tmp_path / "user.creds"
    file.write_text("hello")

    assert "user.creds has no user JWT" in await refused("nats://x", creds=file)


async def test_tls_means_tls_or_no_connection():
    with serving(account()) as server:
        said = await refused(server.url_of("svc:pw", "tls"))

    assert "offers no TLS" in said


async def test_nothing_secret_is_sent_where_tls_was_asked_for():
    heard = []

    async def greet(reader, writer):
        writer.write(b'INFO {"version":"2.15.1","max_payload":1048576}\r\n')
        heard.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await refused(f"tls://svc:pw@127.0.0.1:{port}")

    assert set(heard) == {b""}


@pytest.fixture
def authority(tmp_path):
    return an_authority(tmp_path)


def tls(authority, rest="", **changes):
    certificate, key = authority.issue("server", **changes)
    return TLS.format(f'"{certificate}"', f'"{key}"', rest)


@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_a_private_authority_is_believed(authority, scheme):
    with serving(account() + tls(authority)) as server:
        url = server.url_of("svc:pw", scheme)
        async with connected(url, ca=authority.file) as wire:
            assert await JetStreamApi(wire).call("INFO")


async def test_where_tls_is_only_offered_it_is_taken(authority):
    offered = account() + tls(authority) + "\nallow_non_tls: true"
    with serving(offered) as server:
        url = server.url_of("svc:pw", "tls")
        async with connected(url, ca=authority.file) as wire:
            assert wire._transport._io_writer.get_extra_info("cipher")


async def test_an_unknown_authority_is_told_by_name(authority, tmp_path):
    other = an_authority(tmp_path, "other")
    with serving(account() + tls(authority)) as server:
        said = await refused(server.url_of("svc:pw", "tls"), ca=other.file)

    assert "certificate is not trusted" in said


async def test_a_certificate_of_another_host_is_told(authority):
    with serving(account() + tls(authority, host="127.0.0.9")) as server:
        said = await refused(server.url_of("svc:pw", "tls"), ca=authority.file)

    assert "127.0.0.1" in said
    assert "not valid for" in said


async def test_a_certificate_that_has_run_out_is_told(authority):
    with serving(account() + tls(authority, lasting=-DAY)) as server:
        said = await refused(server.url_of("svc:pw", "tls"), ca=authority.file)

    assert "certificate has expired" in said


async def test_a_server_may_ask_for_our_certificate(authority):
    certificate, key = authority.issue("client")
    strict = tls(authority, f', ca_file: "{authority.file}", verify: true')
    with serving(account() + strict) as server:
        url = server.url_of("svc:pw", "tls")
        bare = await refused(url, ca=authority.file)
        async with connected(
            url, ca=authority.file, certificate=certificate, key=key
        ) as wire:
            await wire.round_trip(SOON)

    assert "cannot connect" in bare
    assert "PAYMENT_NATS_CERT" in bare


async def test_a_server_may_want_tls_first(authority):
    with serving(account() + tls(authority, ", handshake_first: true")) as server:
        url = server.url_of("svc:pw", "tls")
        late = await refused(url, ca=authority.file)
        async with connected(url, ca=authority.file, tls_first=True) as wire:
            await wire.round_trip(SOON)

    assert "PAYMENT_NATS_TLS_FIRST" in late


async def test_a_certificate_file_that_is_missing_is_named(tmp_path):
    said = await refused("tls://x", ca=tmp_path / "none.pem")

    assert "none.pem" in said


PRIVATE = 'publish: ">", subscribe: ["_INBOX_pay.>", "order.>"]'


async def test_a_user_may_have_an_inbox_of_his_own():
    with serving(account(PRIVATE)) as server:
        url = server.url_of("svc:pw")
        with pytest.raises(PermissionRefused, match=r"subscribe to _INBOX\.\w+\.\*"):
            async with connected(url):
                pass
        async with connected(url, inbox_prefix="_INBOX_pay") as wire:
            assert await JetStreamApi(wire).call("INFO")


async def test_a_call_that_is_not_permitted_is_told_at_once_with_its_subject():
    denied = 'publish: { deny: "$JS.API.STREAM.INFO.ORDER_TASKS" }'
    with serving(account(denied)) as server:
        async with connected(server.url_of("svc:pw")) as wire:
            with pytest.raises(PermissionRefused, match=r"publish to .*ORDER_TASKS"):
                await soon(JetStreamApi(wire).find("STREAM.INFO.ORDER_TASKS"), 2.0)

            assert wire.is_connected
            [told] = wire.denied
            assert told.endswith("to publish to $JS.API.STREAM.INFO.ORDER_TASKS")


async def test_what_is_permitted_later_is_asked_again_after_a_reconnect():
    denied = account('publish: { deny: "$JS.API.INFO" }')
    with serving(denied) as server:
        async with connected(server.url_of("svc:pw")) as wire:
            with pytest.raises(PermissionRefused):
                await JetStreamApi(wire).call("INFO")
            server.reload(account())
            await wire.force_reconnect()
            await until(lambda: answers(wire))

            assert await JetStreamApi(wire).call("INFO")


async def test_one_connection_too_many_is_told_and_tried_again():
    with serving(account() + "\nmax_connections: 1") as server:
        url = server.url_of("svc:pw")
        async with connected(url):
            said = await refused(url)
        async with connected(url) as wire:
            await wire.round_trip(SOON)

    assert "maximum connections exceeded" in said


async def test_who_is_thrown_out_comes_again_when_he_may():
    errors: list[str] = []
    with serving(account()) as server:
        wire = await connect([server.url_of("svc:pw")], on_error=errors.append, **QUICK)
        server.reload(account(password="changed"))
        await until(lambda: said(errors, "authorization violation"))
        server.reload(account())

        await until(lambda: answers(wire))
        assert not wire.is_closed
        await wire.close()


async def said(errors, word):
    return any(word in error.lower() for error in errors)


async def test_a_domain_is_found():
    hub = account().replace("max_file_store", "domain: hub, max_file_store")
    with serving(hub) as server:
        async with connected(server.url_of("svc:pw"), domain="hub") as wire:
            assert (await JetStreamApi(wire).call("INFO"))["domain"] == "hub"
        async with connected(server.url_of("svc:pw"), domain="none") as wire:
            with pytest.raises(BusUnavailable, match="nobody answers"):
                await JetStreamApi(wire).call("INFO")


async def test_a_leaf_node_reaches_the_domain_of_its_hub():
    port = free_port()
    hub = account().replace("max_file_store", "domain: hub, max_file_store")
    hub += f'\nleafnodes {{ listen: "127.0.0.1:{port}" }}'
    names = Names("leaf")
    topology = wanted(names, replicas=1, ack_wait=ACK_WAIT)
    with serving(hub):
        remote = f"nats-leaf://svc:pw@127.0.0.1:{port}"
        leaf = f'leafnodes {{ remotes: [ {{ url: "{remote}" }} ] }}'
        with serving(leaf) as server:
            async with connected(server.url, domain="hub") as wire:
                await until(lambda: reachable(wire))
                await ensure(JetStreamApi(wire), topology)
                publisher = JetStreamPublisher(
                    wire, names, schedules=True, on_refused=forget
                )
                await publisher.start()
                stage = Stage()
                async with stage.running(wire, names):
                    assert await publisher.publish([a_message()]) == [True]
                    await soon(stage.handled.get())

                await until(lambda: is_empty(JetStreamApi(wire), "leaf_ORDER_TASKS"))


async def reachable(wire):
    try:
        return await JetStreamApi(wire, seconds_max=0.5).call("INFO")
    except BusUnavailable:
        return False
