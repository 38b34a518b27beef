"""What a proxy does is told as its own, and never as an answer of whom we call."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest
import uvloop

from providers.http.outbound import Lost, Outbound, RequestNotSent, Response
from providers.http.proxies import Proxies
from providers.http.trust import trusting
from tests.wires.certificates import DAY, authority, certificate
from tests.wires.proxy import ESTABLISHED, REFUSED, proxied
from tests.wires.server import drip, playing, reset, saying, silence, with_length

ANSWER = saying(with_length(b'{"status": "accepted"}'), then_hold=True)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("ca"), "Acme Root")


@pytest.fixture(scope="module")
def acme(tmp_path_factory, ca):
    return certificate(tmp_path_factory.mktemp("acme"), ca, "localhost")


@pytest.fixture
def trusted(monkeypatch, ca):
    """Have the system trust the authority, for a proxy is known by it alone."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.pem))


def environment(proxy, credentials=""):
    return {"ALL_PROXY": proxy.url.replace("://", f"://{credentials}")}


async def post(proxy, url, *, tls=None, seconds=2.0, credentials="", calls=1):
    proxies = Proxies(environment(proxy, credentials))
    async with Outbound(proxies=proxies) as outbound:
        lane = outbound.lane(4, tls=tls)
        for _ in range(calls):
            answer = await lane.request(
                "POST", url, json_body=b'{"a":1}', headers={}, timeout=seconds
            )
    return answer


@asynccontextmanager
async def behind(script, certified, ca):
    """Give a server that is known by TLS, and the context that knows it."""
    async with playing(script, ssl=certified.server()) as server:
        server.url = server.url.replace("127.0.0.1", "localhost")
        yield server, trusting(ca.pem)


async def test_tls_goes_through_a_tunnel_end_to_end(acme, ca):
    async with behind(ANSWER, acme, ca) as (server, tls), proxied() as proxy:
        answer = await post(proxy, f"{server.url}/payouts", tls=tls)

    assert answer.read_object() == {"status": "accepted"}
    assert proxy.asked == [("CONNECT", server.url.removeprefix("https://"))]
    assert server.heard[0].startswith(b"POST /payouts HTTP/1.1\r\n")
    assert b"payouts" not in proxy.passed


async def test_plain_http_goes_through_a_tunnel_too():
    async with playing(ANSWER) as server, proxied() as proxy:
        answer = await post(proxy, f"{server.url}/payouts")

    assert isinstance(answer, Response)
    assert proxy.asked == [("CONNECT", server.url.removeprefix("http://"))]
    assert server.heard[0].startswith(b"POST /payouts HTTP/1.1\r\n")


@pytest.mark.usefixtures("trusted")
async def test_a_proxy_may_be_known_by_tls_itself(acme, ca):
    async with (
        behind(ANSWER, acme, ca) as (server, tls),
        playing(ANSWER) as plain,
        proxied(tls=acme.server()) as proxy,
    ):
        over_tls = await post(proxy, server.url, tls=tls)
        over_tcp = await post(proxy, plain.url)

    assert isinstance(over_tls, Response)
    assert isinstance(over_tcp, Response)


async def test_one_tunnel_serves_call_after_call(acme, ca):
    async with behind(ANSWER, acme, ca) as (server, tls), proxied() as proxy:
        answer = await post(proxy, server.url, tls=tls, calls=3)

    assert isinstance(answer, Response)
    assert len(proxy.asked) == 1


async def test_the_proxy_is_told_who_we_are_and_the_provider_is_not():
    credentials = b"Proxy-Authorization: Basic bWU6cHcvMQ==\r\n"
    async with playing(ANSWER) as server, proxied(credentials=credentials) as proxy:
        answer = await post(proxy, server.url, credentials="me:pw%2F1@")

    assert isinstance(answer, Response)
    assert b"bWU6" not in server.heard[0]


# What certainly never left.


@pytest.mark.parametrize("status", [302, 400, 403, 404, 405, 407, 500, 502, 503, 504])
async def test_a_tunnel_that_is_refused_is_not_sent(status):
    async with playing(ANSWER) as server, proxied(answer=REFUSED % status) as proxy:
        answer = await post(proxy, server.url, credentials="me:hunter22@")

    assert isinstance(answer, RequestNotSent)
    assert f"no connection by the proxy {proxy.url}" in answer.because
    assert str(status) in answer.because
    assert "hunter22" not in answer.because
    assert server.connections == 0


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"x" * 40_000,
        ESTABLISHED + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_a_proxy_that_answers_oddly_opens_nothing(said):
    async with playing(ANSWER) as server, proxied(answer=said) as proxy:
        answer = await post(proxy, server.url, seconds=0.6)

    assert isinstance(answer, RequestNotSent)
    assert "proxy" in answer.because


async def test_a_proxy_that_hangs_up_opens_nothing(acme, ca):
    async def hang_up(_server, reader, _writer):
        await reader.readuntil(b"\r\n\r\n")

    async with behind(ANSWER, acme, ca) as (server, tls), playing(hang_up) as proxy:
        answer = await post(proxy, server.url, tls=tls)

    assert isinstance(answer, RequestNotSent)
    assert "it hung up" in answer.because


async def test_a_proxy_that_is_not_there_is_told_as_such(acme, ca):
    async with behind(ANSWER, acme, ca) as (server, tls):
        async with proxied() as proxy:
            pass
        answer = await post(proxy, server.url, tls=tls)

    assert isinstance(answer, RequestNotSent)
    assert answer.because.startswith(f"no connection by the proxy {proxy.url} (")


async def test_a_tunnel_to_nobody_is_not_sent():
    async with proxied() as proxy:
        answer = await post(proxy, "http://no-such-host.invalid:8443/")

    assert isinstance(answer, RequestNotSent)
    assert "it could not connect (502)" in answer.because


async def test_a_tunnel_cut_before_the_handshake_ends_is_not_sent(acme, ca):
    async with (
        behind(ANSWER, acme, ca) as (server, tls),
        proxied(cuts_after=9) as proxy,
    ):
        answer = await post(proxy, server.url, tls=tls)

    assert isinstance(answer, RequestNotSent)
    assert "through the proxy" in answer.because
    assert server.heard == []


async def test_a_proxy_that_breaks_tls_open_is_not_spoken_to(ca, acme, tmp_path):
    stranger = certificate(tmp_path, authority(tmp_path, "Nosy"), "localhost")
    async with (
        behind(ANSWER, acme, ca) as (server, tls),
        playing(ANSWER, ssl=stranger.server()) as nosy,
        proxied(to=nosy.url.removeprefix("https://").split(":")) as proxy,
    ):
        answer = await post(proxy, server.url, tls=tls)

    assert isinstance(answer, RequestNotSent)
    assert "through the proxy" in answer.because
    assert "its certificate is refused" in answer.because
    assert nosy.heard == server.heard == []


# What may have left.


@pytest.mark.parametrize("script", [silence, reset, drip])
async def test_once_the_tunnel_stands_a_failure_is_lost(script, acme, ca):
    async with behind(script, acme, ca) as (server, tls), proxied() as proxy:
        answer = await post(proxy, server.url, tls=tls, seconds=0.6)

    assert isinstance(answer, Lost)
    assert len(server.heard) == 1


async def test_a_tunnel_cut_under_a_request_is_lost():
    async with playing(ANSWER) as server, proxied(cuts_after=5) as proxy:
        answer = await post(proxy, server.url)

    assert isinstance(answer, Lost)


# The loop that the service runs on has transports of its own kind.


async def _all_kinds(acme, ca):
    answers = []
    async with behind(ANSWER, acme, ca) as (server, tls):
        for behaviour in ({}, {"tls": acme.server()}, {"answer": REFUSED % 403}):
            async with proxied(**behaviour) as proxy:
                answers.append(await post(proxy, server.url, tls=tls, calls=2))
        async with playing(ANSWER) as plain, proxied(tls=acme.server()) as proxy:
            answers.append(await post(proxy, plain.url, calls=2))
        async with proxied(cuts_after=9) as proxy:
            answers.append(await post(proxy, server.url, tls=tls))
    async with behind(reset, acme, ca) as (server, tls), proxied() as proxy:
        answers.append(await post(proxy, server.url, tls=tls))
    return [type(answer) for answer in answers]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_both_loops_answer_alike(run, acme, ca):
    assert run(_all_kinds(acme, ca)) == [
        Response,
        Response,
        RequestNotSent,
        Response,
        RequestNotSent,
        Lost,
    ]


# Whom we trust.


async def direct(url, tls):
    async with Outbound() as outbound:
        lane = outbound.lane(1, tls=tls)
        return await lane.request("GET", url, headers={}, timeout=2.0)


async def test_a_private_authority_alone_vouches(acme, ca):
    async with behind(ANSWER, acme, ca) as (server, tls):
        assert isinstance(await direct(server.url, tls), Response)


@pytest.mark.usefixtures("trusted")
async def test_nobody_else_vouches_beside_a_private_authority(acme, ca, tmp_path):
    other = trusting(authority(tmp_path, "Zeta Root").pem)
    async with behind(ANSWER, acme, ca) as (server, _):
        assert isinstance(await direct(server.url, None), Response)
        refused = await direct(server.url, other)

    assert isinstance(refused, RequestNotSent)
    assert "its certificate is refused: unable to get local issuer" in refused.because


async def test_a_pinned_certificate_is_trusted_whoever_issued_it(acme, ca):
    async with behind(ANSWER, acme, ca) as (server, _):
        assert isinstance(await direct(server.url, trusting(acme.pem)), Response)


async def test_a_certificate_of_another_host_is_told_as_one(ca, tmp_path):
    other = certificate(tmp_path, ca, "zeta.example")
    async with behind(ANSWER, other, ca) as (server, tls):
        refused = await direct(server.url, tls)

    assert isinstance(refused, RequestNotSent)
    assert "Hostname mismatch" in refused.because


async def test_an_expired_certificate_is_told_as_one(ca, tmp_path):
    old = certificate(tmp_path, ca, "localhost", until=-DAY)
    async with behind(ANSWER, old, ca) as (server, tls):
        refused = await direct(server.url, tls)

    assert isinstance(refused, RequestNotSent)
    assert "certificate has expired" in refused.because


async def test_a_server_without_tls_is_told_as_one(ca):
    async def plain(_server, _reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with playing(plain) as server:
        refused = await direct(server.url.replace("http:", "https:"), trusting(ca.pem))

    assert isinstance(refused, RequestNotSent)
    assert refused.because.startswith("no connection (no TLS: ")


async def test_what_is_no_name_of_a_host_is_not_sent():
    assert isinstance(await direct(f"http://{'a' * 70}.example", None), RequestNotSent)
    assert ssl.HAS_SNI
