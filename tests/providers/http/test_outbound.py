"""What certainly never left is told from what may have: real sockets only."""

import asyncio
import socket
import ssl
import subprocess
from contextlib import closing

import pytest
import uvloop

from providers.http.outbound import (
    BODY_BYTES_MAX,
    Lost,
    Outbound,
    RequestNotSent,
    Response,
)
from tests.wires.server import (
    OK,
    drip,
    playing,
    reset,
    saying,
    silence,
    with_length,
)


@pytest.fixture
async def outbound():
    async with Outbound() as outbound:
        yield outbound


async def post(outbound, url, *, seconds=2.0, headers=None):
    lane = outbound.lane(4)
    return await lane.request(
        "POST", url, json_body=b'{"a":1}', headers=headers or {}, timeout=seconds
    )


def chunked(body):
    pieces = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + pieces


# What certainly never left.


async def test_a_refused_connection_is_not_sent(outbound):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        answer = await post(outbound, f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert isinstance(answer, RequestNotSent)


async def test_an_unknown_host_is_not_sent(outbound):
    assert isinstance(
        await post(outbound, "http://no-such-host.invalid/"), RequestNotSent
    )


async def test_a_connection_that_is_never_made_is_not_sent(outbound):
    # The second connection stays in a queue of one that nobody empties.
    with closing(socket.socket()) as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"

        answer = await post(outbound, url, seconds=0.4)

        for filler in fillers:
            filler.close()
    assert isinstance(answer, RequestNotSent)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=nobody"
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return folder


async def test_an_untrusted_certificate_is_not_sent(outbound, certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    async with playing(saying(with_length(b"{}")), ssl=context) as server:
        answer = await post(outbound, server.url)

    assert isinstance(answer, RequestNotSent)
    assert server.heard == []


async def test_a_tls_handshake_that_hangs_is_not_sent(outbound):
    async def deaf(_server, reader, _writer):
        await reader.read(1_000_000)
        await reader.read()

    async with playing(deaf) as server:
        url = server.url.replace("http:", "https:")
        answer = await post(outbound, url, seconds=0.4)

    assert isinstance(answer, RequestNotSent)


async def test_a_tls_handshake_that_is_cut_is_not_sent(outbound):
    async def cut(_server, reader, _writer):
        await reader.read(1)

    async with playing(cut) as server:
        answer = await post(outbound, server.url.replace("http:", "https:"))

    assert isinstance(answer, RequestNotSent)


async def test_waiting_in_vain_for_a_turn_is_not_sent(outbound):
    async with playing(silence) as server:
        lane = outbound.lane(1)

        def ask():
            return lane.request("GET", server.url, headers={}, timeout=0.8)

        first, second = await asyncio.gather(ask(), ask())

    assert (type(first), type(second)) == (Lost, RequestNotSent)
    assert server.connections == 1


async def test_whoever_waited_takes_the_turn_that_was_given_back(outbound):
    async with playing(saying(with_length(b"{}"), then_hold=True)) as server:
        lane = outbound.lane(2)
        asked = [
            lane.request("GET", server.url, headers={}, timeout=5) for _ in range(20)
        ]
        answers = await asyncio.gather(*asked)

    assert {type(a) for a in answers} == {Response}
    assert server.connections <= 2
    assert lane.in_flight == 0


async def test_a_cancelled_call_gives_its_turn_back(outbound):
    async with playing(silence) as server:
        lane = outbound.lane(1)
        call = asyncio.create_task(
            lane.request("GET", server.url, headers={}, timeout=60)
        )
        await server.asked.wait()
        call.cancel()
        await asyncio.wait([call])

        answer = await lane.request("GET", server.url, headers={}, timeout=0.2)

    assert isinstance(answer, Lost)
    assert lane.in_flight == 0


# What may have left.

FLOOD = b" " * (BODY_BYTES_MAX + 1)
LOST = {
    "silence": silence,
    "a reset": reset,
    "a drip": drip,
    "a polite end": saying(b""),
    "half a head": saying(OK),
    "half a body": saying(OK + b"Content-Length: 10\r\n\r\n{}"),
    "half a chunk": saying(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"),
    "a chunk that is none": saying(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "no HTTP": saying(b"220 smtp.example ESMTP\r\n"),
    "two lengths": saying(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "a head without end": saying(OK + b"X: " + b"a" * 100_000),
    "an announced flood": saying(with_length(FLOOD)),
    "a flood in chunks": saying(chunked(FLOOD)),
    "a flood until the end": saying(OK + b"Connection: close\r\n\r\n" + FLOOD),
}


@pytest.mark.parametrize("script", LOST.values(), ids=LOST.keys())
async def test_no_whole_answer_is_lost_and_asked_once(outbound, script):
    async with playing(script) as server:
        answer = await post(outbound, server.url, seconds=0.4)

    assert isinstance(answer, Lost)
    assert len(server.heard) == 1


async def test_a_post_on_a_stale_connection_is_never_repeated(outbound):
    async def once(server, reader, writer):
        await server.hear(reader)
        writer.write(with_length(b"{}"))
        await server.hear(reader)

    async with playing(once) as server:
        first = await post(outbound, server.url)
        second = await post(outbound, server.url)

    assert (type(first), type(second)) == (Response, Lost)
    assert (server.connections, len(server.heard)) == (1, 2)


async def test_the_time_limit_holds_for_all_of_it(outbound):
    clock = asyncio.get_running_loop().time
    async with playing(drip) as server:
        started = clock()
        answer = await post(outbound, server.url, seconds=0.3)

    assert isinstance(answer, Lost)
    assert clock() - started < 1


# Whole answers.


@pytest.mark.parametrize("form", [with_length, chunked])
async def test_an_answer_of_the_largest_size_is_whole(outbound, form):
    body = b" " * BODY_BYTES_MAX
    async with playing(saying(form(body))) as server:
        answer = await post(outbound, server.url)

    assert answer.body == body


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(outbound, status):
    moved = b"HTTP/1.1 %d Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n" % status
    async with playing(saying(moved, then_hold=True)) as server:
        answer = await post(outbound, server.url)

    assert answer.status == status
    assert len(server.heard) == 1


async def test_cookies_are_not_kept(outbound):
    baked = OK + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}"
    async with playing(saying(baked, then_hold=True)) as server:
        await post(outbound, server.url)
        await post(outbound, server.url)

    assert b"cookie" not in server.heard[1].lower()


async def test_a_compressed_answer_is_not_unpacked(outbound):
    packed = OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"
    async with playing(saying(packed)) as server:
        answer = await post(outbound, server.url)

    assert answer.body == b"\x1f\x8b\x08\x00"
    assert answer.read_object() is None
    assert b"accept-encoding: identity" in server.heard[0].lower()


async def test_the_request_is_as_asked_and_carries_the_trace():
    async with (
        playing(saying(with_length(b"{}"))) as server,
        Outbound(trace=lambda: "00-ab-cd-01") as outbound,
    ):
        await post(outbound, f"{server.url}/a%2Fb%41", headers={"Idempotency-Key": "k"})

    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /a%2fb%41 http/1.1"
    assert {b"idempotency-key: k", b"traceparent: 00-ab-cd-01"} < set(lines)
    assert (b"content-type: application/json" in lines, body) == (True, b'{"a":1}')


async def test_a_form_says_that_it_is_one(outbound):
    async with playing(saying(with_length(b"{}"))) as server:
        await outbound.lane(1).request(
            "POST", server.url, form_body=b"a%5Bb%5D=1&c=2", headers={}, timeout=1
        )

    head, _, body = server.heard[0].lower().partition(b"\r\n\r\n")
    types = [line for line in head.split(b"\r\n") if line.startswith(b"content-type")]
    assert types == [b"content-type: application/x-www-form-urlencoded"]
    assert body == b"a%5bb%5d=1&c=2"


@pytest.mark.parametrize(
    ("method", "lengths"),
    [("GET", 0), ("DELETE", 0), ("POST", 1), ("PUT", 1), ("PATCH", 1)],
)
async def test_every_method_is_sent_as_servers_want_it(outbound, method, lengths):
    async with playing(saying(with_length(b"{}"))) as server:
        await outbound.lane(1).request(method, server.url, headers={}, timeout=1)

    lines = server.heard[0].lower().split(b"\r\n")
    assert lines[0].startswith(method.lower().encode())
    assert lines.count(b"content-length: 0") == lengths


async def test_one_connection_serves_call_after_call(outbound):
    async with playing(saying(with_length(b"{}"), then_hold=True)) as server:
        for _ in range(5):
            await post(outbound, server.url)

    assert (server.connections, len(server.heard)) == (1, 5)


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b'{"a":1}', {"a": 1}),
        (b"", None),
        (b"[]", None),
        (b"<html>", None),
        (b'{"a":1,"a":2}', None),
        (b'{"b":{"a":1,"a":2}}', None),
        (b'{"a":NaN}', None),
        (b'{"a":"\xff"}', None),
        (b'{"a":"\\ud800"}', None),
        (b'{"a":1}x', None),
        (b'{"a":' + b"9" * 5000 + b"}", None),
        (b'{"a":' + b"[" * 100_000, None),
        (b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}", None),
    ],
)
def test_only_one_strict_json_object_is_read(body, read):
    assert Response(status=200, body=body).read_object() == read


def test_a_call_outside_of_its_life_is_a_mistake_of_ours():
    with pytest.raises(RuntimeError):
        asyncio.run(post(Outbound(), "http://127.0.0.1:9/"))


# The loop that the service runs on has transports of its own kind.


async def _all_kinds_of_answers():
    async with Outbound() as outbound:
        async with playing(saying(with_length(b"{}"), then_hold=True)) as server:
            first = await post(outbound, server.url)
            second = await post(outbound, server.url)
        async with playing(reset) as server:
            broken = await post(outbound, server.url)
        async with playing(silence) as server:
            silent = await post(outbound, server.url, seconds=0.2)
        refused = await post(outbound, "http://127.0.0.1:1")
    return [type(answer) for answer in (first, second, broken, silent, refused)]


def test_uvloop_answers_alike():
    assert uvloop.run(_all_kinds_of_answers()) == [
        Response,
        Response,
        Lost,
        Lost,
        RequestNotSent,
    ]
